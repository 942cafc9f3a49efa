#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Err(seen) = manifest_operations::hold(data) {
        panic!("operations: {seen}");
    }
});
