//! Creates a manifest, commits a little, and destroys it again. Whoever takes a killed one's place finds what that one has
//! left: nothing, a manifest, or the remains of one.

use std::sync::Arc;

use fusio_manifest::{Creation, Error, ErrorKind, Manifest};

use super::{LARGE_VALUE_BYTES, Process, large_key};

pub(super) async fn live(process: &Process) -> Result<(), String> {
    tokio::select! {
        biased;
        // A probe takes long on a slow store. What is left behind is seen to by who stops all.
        () = process.stop.wait() => {}
        () = work(process) => {}
    }
    Ok(())
}

async fn work(process: &Process) {
    // What a killed one left is met by a destruction, or by a creation.
    if process.order.slot > 0 {
        remove(process).await;
    }
    loop {
        if let Err(error) = found(process).await {
            note(process, &error);
        }
        remove(process).await;
        process.rest().await;
    }
}

async fn remove(process: &Process) {
    if let Err(error) = destroy(process).await {
        process.note("destroy", &error);
    }
}

fn note(process: &Process, error: &Error) {
    match error.kind() {
        // A predecessor's last DELETE of HEAD came late: it has no condition.
        ErrorKind::HeadLost | ErrorKind::Replaced => {
            process.journal.failed(format!("found: {:?}", error.kind()));
        }
        _ => process.note("found", error),
    }
}

async fn found(process: &Process) -> Result<(), Error> {
    process.phase.creating();
    let created = Manifest::create(
        Arc::clone(&process.store),
        &process.order.prefix,
        process.options(),
    )
    .await;
    process.phase.neither();
    let (manifest, creation) = match created {
        Ok(created) => created,
        // A predecessor was killed while it destroyed, or its last PUT came late.
        Err(error) if error.kind() == ErrorKind::HeadLost => {
            process.journal.did("remains found");
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    process.journal.did("manifests founded");
    if creation == Creation::Created && manifest.info()?.txn != 0 {
        process.wrong("a manifest that was just created holds commits");
    }
    let committed = commit(&manifest).await;
    manifest.close().await;
    committed
}

/// One that stands in HEAD, and one in a log object.
async fn commit(manifest: &Manifest) -> Result<(), Error> {
    for writes in [1, 4] {
        let mut transaction = manifest.begin().await?;
        for number in 0..writes {
            transaction.put(large_key(number), vec![b'.'; LARGE_VALUE_BYTES])?;
        }
        transaction.commit().await?;
    }
    Ok(())
}

async fn destroy(process: &Process) -> Result<(), Error> {
    process.phase.destroying();
    let store = Arc::clone(&process.store);
    let destroyed = Manifest::destroy(store, &process.order.prefix, &process.options()).await;
    process.phase.neither();
    let destroyed = destroyed?;
    process.journal.did("manifests destroyed");
    if destroyed.foreign > 0 {
        process.wrong(format!(
            "what was destroyed had objects that are not the engine's: {:?}",
            destroyed.foreign_keys
        ));
    }
    Ok(())
}
