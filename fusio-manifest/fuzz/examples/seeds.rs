//! Writes what the engine writes itself, and sequences of operations, into the corpus, for fuzzers to begin from:
//! `cargo run --example seeds [FOLDER]`.

use std::{collections::BTreeMap, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let corpus = std::env::args_os().nth(1).map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus"),
        PathBuf::from,
    );
    let objects = fusio_manifest::fuzzing::seeds()?.into_iter();
    let sequences = manifest_operations::seeds().into_iter();
    let mut written = BTreeMap::<&str, usize>::new();
    for (target, input) in objects
        .map(|(target, input)| (target.name(), input))
        .chain(sequences.map(|input| ("operations", input)))
    {
        let number = written.entry(target).or_default();
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("seed-{number:03}")), input)?;
        *number += 1;
    }
    for (target, inputs) in written {
        println!("{target}: {inputs}");
    }
    Ok(())
}
