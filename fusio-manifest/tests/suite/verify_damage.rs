//! One object that is not what was written, of every kind and in every way: a full check finds and names it, and whoever
//! reads it is told so, or reads what is right.

use bytes::Bytes;
use fusio_manifest::{Damage, Need, ObjectKind};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::{
    collect::keys,
    support::{object, overwrite},
    world::{World, copied, errors_of_reads, flipped, found_and_named, verified},
};

#[tokio::test(start_paused = true)]
async fn one_flipped_bit_is_found_wherever_it_is() {
    let world = World::new(1).await;
    for kind in ObjectKind::ALL {
        let needed = world.needed(kind).await;
        for key in [needed.first(), needed.last()].into_iter().flatten() {
            let whole = object(&world.store, key).await;
            // All of the header, and then here and there; the step is odd, so that every bit of a byte has its turn.
            let bits = (0..40 * 8)
                .step_by(23)
                .chain((40 * 8..whole.len() * 8).step_by((whole.len() / 5) | 1));
            for bit in bits {
                let report = found_and_named(&world, key, Some(flipped(&whole, bit)), "a flipped bit").await;
                assert!(
                    report
                        .findings
                        .iter()
                        .all(|finding| finding.damage == Damage::Checksum
                            || (bit < 4 * 8 && finding.damage == Damage::Foreign)),
                    "bit {bit} of {key}: {:#?}",
                    report.findings
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn objects_that_are_cut_longer_or_gone_are_found() {
    let world = World::new(2).await;
    for kind in ObjectKind::ALL {
        let needed = world.needed(kind).await;
        let key = needed.last().unwrap();
        let whole = object(&world.store, key).await;
        for length in [0, 1, 39, 40, 41, whole.len() / 2, whole.len() - 1] {
            let cut = Some(whole.slice(..length));
            let report = found_and_named(&world, key, cut, &format!("cut to {length}")).await;
            let told = report.findings[0].damage;
            assert!(
                matches!(told, Damage::Length | Damage::Foreign),
                "{:?}",
                report.findings
            );
        }
        let longer = Bytes::from([whole.as_ref(), b"x"].concat());
        let report = found_and_named(&world, key, Some(longer), "one byte more").await;
        assert_eq!(report.findings[0].damage, Damage::Length);
        let report = found_and_named(&world, key, None, "loss").await;
        let [finding] = report.findings.as_slice() else {
            panic!("{:?}", report.findings);
        };
        assert_eq!((finding.damage, finding.kind), (Damage::Missing, kind));
        if kind == ObjectKind::Head {
            assert!(report.copies.iter().all(|copy| copy.complete) && report.copies.len() == 2);
            assert!(report.copies[0].last_txn > report.copies[1].last_txn);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn objects_of_other_kinds_or_manifests_in_the_place_of_ones_own_are_found() {
    let (world, other) = (World::new(3).await, World::new(50).await);
    for kind in [
        ObjectKind::Log,
        ObjectKind::Table,
        ObjectKind::Pin,
        ObjectKind::List,
    ] {
        let key = world.needed(kind).await.pop().unwrap();
        for foreign in ObjectKind::ALL {
            let theirs = other.needed(foreign).await.pop().unwrap();
            let bytes = object(&other.store, &theirs).await;
            let report = found_and_named(&world, &key, Some(bytes), &format!("another's {foreign:?}")).await;
            assert_eq!(
                report.findings[0].damage,
                Damage::Foreign,
                "{:?}",
                report.findings
            );
        }
        for own in ObjectKind::ALL {
            let Some(ours) = world.needed(own).await.into_iter().find(|ours| *ours != key) else {
                continue;
            };
            let bytes = object(&world.store, &ours).await;
            let report = found_and_named(&world, &key, Some(bytes), &format!("one's own {own:?}")).await;
            assert_eq!(
                report.findings[0].damage,
                Damage::Foreign,
                "{:?}",
                report.findings
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_objects_of_one_manifest_that_changed_places_are_both_named() {
    let world = World::new(4).await;
    for kind in [ObjectKind::Log, ObjectKind::Table, ObjectKind::Pin] {
        let needed = world.needed(kind).await;
        let [first, last] = [needed.first().unwrap(), needed.last().unwrap()];
        let store = copied(&world.store).await;
        overwrite(&store, first, object(&world.store, last).await).await;
        overwrite(&store, last, object(&world.store, first).await).await;
        let report = verified(&store).await.unwrap();
        let mut named: Vec<&String> = report.findings.iter().map(|finding| &finding.object).collect();
        named.sort();
        assert_eq!(named, [first, last], "{:#?}", report.findings);
        assert!(!errors_of_reads(&store, &world).await.is_empty());
    }
}

/// What happens to an object, drawn at random; none if it is left as it was.
fn damaged(random: &mut StdRng, whole: &Bytes, another: &Bytes) -> Option<Bytes> {
    let mut bytes = whole.to_vec();
    let at = random.random_range(0..bytes.len());
    let until = random.random_range(at..bytes.len()) + 1;
    match random.random_range(0..7) {
        0 => bytes[at] ^= 1 << random.random_range(0..8),
        1 => bytes.truncate(at),
        2 => bytes[at..until].fill(0),
        3 => bytes[at..until].reverse(),
        4 => drop(bytes.drain(at..until)),
        5 => bytes.extend_from_slice(&whole[at..until]),
        _ => bytes = another.to_vec(),
    }
    (bytes != *whole).then(|| bytes.into())
}

/// Any object, needed or not, any damage: what is needed is found, what is not is no damage, and nothing is read wrong.
#[tokio::test(start_paused = true)]
async fn whatever_happens_to_an_object_is_found_if_anybody_needs_it() {
    let (mut found, mut spared) = (0, 0);
    for seed in 0..4 {
        let mut random = StdRng::seed_from_u64(seed);
        let world = World::new(100 + seed).await;
        let mut needed = Vec::new();
        for kind in ObjectKind::ALL {
            needed.extend(world.needed(kind).await);
        }
        let all = keys(&world.store).await;
        for _ in 0..60 {
            let [key, other] = [(); 2].map(|()| &all[random.random_range(0..all.len())]);
            let (whole, another) = (object(&world.store, key).await, object(&world.store, other).await);
            let Some(bytes) = damaged(&mut random, &whole, &another) else {
                continue;
            };
            if needed.contains(key) {
                found_and_named(&world, key, Some(bytes), &format!("what seed {seed} did")).await;
                found += 1;
                continue;
            }
            let store = copied(&world.store).await;
            overwrite(&store, key, bytes).await;
            let report = verified(&store).await.unwrap();
            // HEAD asks folded log objects about outcomes, as long as they are there.
            let outcomes_alone = report
                .findings
                .iter()
                .all(|finding| finding.needed_by == [Need::Outcomes]);
            assert!(outcomes_alone, "seed {seed}, {key}: {:#?}", report.findings);
            assert!(errors_of_reads(&store, &world).await.is_empty());
            spared += 1;
        }
    }
    assert!(found > 30 && spared > 30, "{found} found, {spared} spared");
}
