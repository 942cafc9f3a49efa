//! Transactions whose snapshot lies before a fold: what they read is read again, and nothing that changed is missed.

use fusio_manifest::{ErrorKind, KeyRange, Manifest, MemoryStore, Options, Transaction};

use crate::{
    fold::folded_soon,
    support::{Tune, Verdict, cached, ensure, founded_with, open, options, put, settle, sound, unexpected},
};

/// What a transaction reads before the others go on, of keys `a`, `b`, `c` that are there and `n` that is not.
#[derive(Debug, Clone, Copy)]
enum Reads {
    Key,
    Absence,
    Range,
    PartOfRange,
    Nothing,
}

/// What others do meanwhile.
#[derive(Debug, Clone, Copy)]
enum Others {
    Elsewhere,
    Rewrite,
    Delete,
    Insert,
}

async fn read(transaction: &mut Transaction, reads: Reads) -> Result<(), fusio_manifest::Error> {
    match reads {
        Reads::Key => transaction.get("b").await.map(drop),
        Reads::Absence => transaction.get("n").await.map(drop),
        Reads::Range => transaction
            .scan(KeyRange::between("a", "o"))
            .collect()
            .await
            .map(drop),
        Reads::PartOfRange => {
            let mut scan = transaction.scan(KeyRange::between("a", "o"));
            scan.next().await?;
            scan.next().await.map(drop)
        }
        Reads::Nothing => Ok(()),
    }
}

/// Whether the read set has a part that was changed.
fn conflicts(reads: Reads, others: Others) -> bool {
    match (reads, others) {
        (Reads::Nothing, _) | (_, Others::Elsewhere) => false,
        (Reads::Absence, Others::Insert) => true,
        (Reads::Absence, _) => false,
        (Reads::Key | Reads::PartOfRange, Others::Insert) => false,
        (Reads::Key | Reads::Range | Reads::PartOfRange, _) => true,
    }
}

async fn delete(manifest: &Manifest, key: &str) -> Result<(), fusio_manifest::Error> {
    let mut transaction = cached(manifest).await;
    transaction.delete(key.to_owned())?;
    transaction.commit().await.map(drop)
}

async fn change(manifest: &Manifest, others: Others) -> Result<(), fusio_manifest::Error> {
    match others {
        Others::Elsewhere => put(manifest, "z", "new").await.map(drop),
        Others::Rewrite => put(manifest, "b", "2").await.map(drop),
        Others::Delete => delete(manifest, "b").await,
        Others::Insert => put(manifest, "n", "new").await.map(drop),
    }
}

/// Commits until everything up to `txn` lies in runs, merged so often that the oldest run has it.
async fn fold_through(manifest: &Manifest, txn: u64) {
    let mut number = 0;
    while manifest.info().unwrap().folded_through < txn || number < 12 {
        put(manifest, &format!("z {}", number % 3), "filler")
            .await
            .unwrap();
        settle().await;
        number += 1;
    }
    manifest.maintain().await.unwrap();
}

async fn founded(tune: Tune) -> (MemoryStore, Manifest, Manifest) {
    let (store, others) = founded_with(folded_soon()).await;
    for key in ["a", "b", "c"] {
        put(&others, key, "1").await.unwrap();
        settle().await;
    }
    let own = open(&store, tune(options(2))).await;
    (store, others, own)
}

async fn validated(tune: Tune, reads: Reads, others: Others, sees: Sees) -> Verdict {
    let (_store, foreign, own) = founded(tune).await;
    let mut transaction = cached(&own).await;
    read(&mut transaction, reads).await.map_err(unexpected)?;
    transaction.put("w", "own").map_err(unexpected)?;
    change(&foreign, others).await.map_err(unexpected)?;
    let changed = foreign.info().map_err(unexpected)?.txn;
    if sees == Sees::EachCommit {
        own.get("x").await.map_err(unexpected)?;
    }
    fold_through(&foreign, changed).await;
    if sees != Sees::Nothing {
        own.get("x").await.map_err(unexpected)?;
        settle().await;
    }
    let what = format!("{reads:?}, {others:?}, sees {sees:?}");
    let result = transaction.commit().await;
    match (conflicts(reads, others), result) {
        (false, Ok(_)) => {}
        (true, Err(error)) if error.kind() == ErrorKind::Conflict => {}
        (_, result) => return Err(format!("{what}: {result:?}")),
    }
    let written = own.get("w").await.map_err(unexpected)?;
    ensure!(
        written.is_none() == conflicts(reads, others),
        "{what}: its write is {written:?}"
    );
    own.close().await;
    foreign.close().await;
    Ok(())
}

/// What its handle has looked at when the transaction commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sees {
    /// It loses its first race, and learns of everything then.
    Nothing,
    /// Only that everything was folded.
    TheFold,
    /// The change, and later that it was folded.
    EachCommit,
}

pub(crate) async fn what_was_read_before_a_fold_is_read_again(tune: Tune) -> Verdict {
    for reads in [
        Reads::Key,
        Reads::Absence,
        Reads::Range,
        Reads::PartOfRange,
        Reads::Nothing,
    ] {
        for others in [Others::Elsewhere, Others::Rewrite, Others::Delete, Others::Insert] {
            for sees in [Sees::Nothing, Sees::TheFold, Sees::EachCommit] {
                validated(tune, reads, others, sees).await?;
            }
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_transaction_older_than_a_fold_is_validated_by_what_it_read() {
    what_was_read_before_a_fold_is_read_again(sound).await.unwrap();
}

/// A closure that wrote nothing has no commit to certify it: it is held against the newest state, however it is read.
#[tokio::test(start_paused = true)]
async fn a_read_only_closure_across_a_fold_is_run_again_where_its_read_changed() {
    let (_store, foreign, own) = founded(sound).await;
    let mut runs = 0;
    let seen = own
        .transact(
            async |transaction: &mut Transaction| -> Result<_, fusio_manifest::Error> {
                let value = transaction.get("b").await?;
                if runs == 0 {
                    put(&foreign, "b", "2").await?;
                    fold_through(&foreign, foreign.info()?.txn).await;
                }
                runs += 1;
                Ok(value)
            },
        )
        .await
        .unwrap();
    assert_eq!((seen.value.as_deref(), runs), (Some(b"2".as_slice()), 2));
    own.close().await;
    foreign.close().await;
}

/// What is read again is not waited for by others, and a caller that leaves meanwhile is not committed.
#[tokio::test(start_paused = true)]
async fn others_commit_while_one_reads_again() {
    use crate::{
        faulty::{Fault, Gate},
        support::open_faulty,
    };
    let (store, foreign, _) = founded(sound).await;
    let cold = Options {
        cache_bytes: 1 << 20,
        ..options(3)
    };
    let (faulty, own) = open_faulty(&store, cold).await;
    let mut slow = cached(&own).await;
    slow.get("b").await.unwrap();
    slow.put("w", "slow").unwrap();
    fold_through(&foreign, foreign.info().unwrap().txn).await;
    own.get("x").await.unwrap();
    let gates = [Gate::closed(), Gate::closed()];
    for gate in &gates {
        faulty.on_table_get(Fault::HoldBefore(gate.clone()));
    }
    let slow = tokio::spawn(slow.commit());
    gates[0].reached().await;
    put(&own, "quick", "v").await.unwrap();
    assert!(!slow.is_finished());
    slow.abort();
    gates.iter().for_each(Gate::open);
    settle().await;
    assert_eq!(own.get("w").await.unwrap(), None);
    own.close().await;
    foreign.close().await;
}
