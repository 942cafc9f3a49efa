//! What all fuzzers do: the property is the engine's, a violation is a crash.

use fusio_manifest::fuzzing::Target;

/// Gives an input to a decoder.
///
/// # Panics
///
/// If a property does not hold.
pub fn decode(target: Target, data: &[u8]) {
    let gauge = |work: &mut dyn FnMut()| allocation_counter::measure(work).bytes_max;
    if let Err(seen) = target.holds(data, &gauge) {
        panic!("{}: {seen}", target.name());
    }
}
