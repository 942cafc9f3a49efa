//! The last step of a copy and of a restored HEAD: what is told of it is what came of it, whoever is faster.

use std::time::Duration;

use fusio_manifest::{CopyOptions, ErrorKind, MemoryStore, RestoreFrom};

use crate::{
    collect::keys,
    copy::{copy_to, numbers_of_puts},
    numbered::{Accident, NumberedStore},
    restore::{headless, restored},
    support::{HEAD, final_value, open, options, pause, put},
    world::World,
};

/// Commits as soon as there is a HEAD.
async fn commit_soon(store: &MemoryStore) {
    while !keys(store).await.iter().any(|key| key == HEAD) {
        pause(Duration::from_millis(1)).await;
    }
    let manifest = open(store, options(60)).await;
    put(&manifest, "k", "v").await.unwrap();
    manifest.close().await;
}

/// The reply is lost, and before it is looked for, whoever waited for the manifest has found it and goes on.
#[tokio::test(start_paused = true)]
async fn a_head_that_somebody_has_replaced_already_was_put() {
    let world = World::new(3).await;
    let (_, last) = numbers_of_puts(&world).await;
    let target = MemoryStore::new();
    let lossy = NumberedStore::over(target.clone(), last, Accident::LosesReply);
    let what = CopyOptions::default();
    let copying = copy_to(world.store.clone(), lossy, 50, &what);
    let (told, ()) = tokio::join!(copying, commit_soon(&target));
    assert!(told.unwrap().written);
    assert_eq!(final_value(&target, "k").await.as_deref(), Some("v"));

    let (store, _) = headless(&world).await;
    let counting = NumberedStore::over(store.clone(), u64::MAX, Accident::LosesReply);
    restored(counting.clone(), 50, &RestoreFrom::NewestPin)
        .await
        .unwrap();
    let (store, _) = headless(&world).await;
    let lossy = NumberedStore::over(store.clone(), counting.seen(), Accident::LosesReply);
    let restoring = restored(lossy, 50, &RestoreFrom::NewestPin);
    let (told, ()) = tokio::join!(restoring, commit_soon(&store));
    assert!(told.unwrap().written);
    assert_eq!(final_value(&store, "k").await.as_deref(), Some("v"));
}

/// A copy of the PUT is under way, and the next one is refused: that says nothing of the first.
#[tokio::test(start_paused = true)]
async fn a_refusal_says_nothing_of_an_earlier_copy() {
    let world = World::new(3).await;
    let (_, last) = numbers_of_puts(&world).await;
    for (at, accident, kind) in [
        (last, Accident::LosesRights, ErrorKind::Unavailable),
        (last, Accident::Refuses(403), ErrorKind::Refused),
        // Of an object that no HEAD names: whatever becomes of it, nothing can be opened.
        (last - 1, Accident::LosesRights, ErrorKind::Refused),
    ] {
        let target = MemoryStore::new();
        let refusing = NumberedStore::over(target.clone(), at, accident);
        let told = copy_to(world.store.clone(), refusing, 50, &CopyOptions::default()).await;
        let error = told.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        let in_doubt = error.to_string().contains("may be there all the same");
        assert_eq!(in_doubt, kind == ErrorKind::Unavailable, "{error}");
        assert!(!keys(&target).await.iter().any(|key| key == HEAD));
    }
}
