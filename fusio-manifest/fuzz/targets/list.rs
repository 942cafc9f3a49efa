#![no_main]

use fusio_manifest::fuzzing::Target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fusio_manifest_fuzz::decode(Target::List, data));
