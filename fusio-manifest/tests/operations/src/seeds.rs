//! Sequences to begin from.

/// Sequences of all lengths, of choices that a generator of a few lines draws: what they are is up to nobody, and the same
/// each time.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    let lengths = [12, 40, 90, 200, 400, 700];
    (0..60_u8)
        .zip(lengths.into_iter().cycle())
        .map(|(number, length)| {
            // The profile, so that each has as many.
            let mut sequence = vec![number / 6 % 5];
            sequence.extend((1..length).map(|_| byte()));
            sequence
        })
        .collect()
}
