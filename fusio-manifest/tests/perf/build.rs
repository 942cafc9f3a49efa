//! Passes the optimisation level on to the code: only build scripts are told.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if let Ok(level) = std::env::var("OPT_LEVEL") {
        println!("cargo::rustc-env=MANIFEST_PERF_OPT_LEVEL={level}");
    }
}
