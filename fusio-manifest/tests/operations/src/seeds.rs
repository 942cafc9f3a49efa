//! Sequences to begin from.

/// Sequences of all lengths, of choices that a generator of a few lines draws: what they are is up to nobody, and the same
/// each time.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        u8::try_from((state >> 24) & 0xff).unwrap_or_default()
    };
    let lengths = [12, 40, 90, 200, 400, 700];
    lengths
        .into_iter()
        .cycle()
        .zip(0..60_u8)
        .map(|(length, number)| {
            // The profile, so that each has as many.
            let mut sequence = vec![number / 6 % 5];
            sequence.extend((1..length).map(|_| byte()));
            sequence
        })
        .collect()
}
