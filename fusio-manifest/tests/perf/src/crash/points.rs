//! Where a process can die: before and after each request that the engine sends, by what the request is for.

use std::fmt;

use super::order::Role;

/// A request, by what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Step {
    Look,
    LookAfterLostRace,
    CatchUp,
    ReadTable,
    CommitHead,
    LargeLog,
    LargeHead,
    SpillLog,
    SpillHead,
    FoldTable,
    FoldHead,
    MergeRead,
    MergeTable,
    MergeHead,
    FenceHead,
    CollectList,
    ReadPinned,
    PutList,
    NameListHead,
    CondemnHead,
    ReadList,
    DeleteObjects,
    DropListHead,
    DeleteList,
    PinCopy,
    PinHead,
    OpenPin,
    ReleaseHead,
    CreateLook,
    ProbePut,
    ProbeDelete,
    CreateList,
    CreateVersioning,
    CreateHead,
    DestroyLook,
    DestroyHead,
    DestroyList,
    DestroyObjects,
}

/// Each step, who is told to die there, and its name.
pub(super) const STEPS: [(Step, Role, &str); 38] = [
    (Step::Look, Role::Reader, "read: GET HEAD"),
    (
        Step::LookAfterLostRace,
        Role::Writer,
        "commit: GET HEAD after a lost race",
    ),
    (Step::CatchUp, Role::Reader, "read: GET log object"),
    (Step::ReadTable, Role::Reader, "read: GET table"),
    (Step::CommitHead, Role::Writer, "commit: PUT HEAD"),
    (Step::LargeLog, Role::Writer, "large commit: PUT log object"),
    (Step::LargeHead, Role::Writer, "large commit: PUT HEAD"),
    (Step::SpillLog, Role::Writer, "spill: PUT log object"),
    (Step::SpillHead, Role::Writer, "spill: PUT HEAD"),
    (Step::FoldTable, Role::Maintainer, "fold: PUT table"),
    (Step::FoldHead, Role::Maintainer, "fold: PUT HEAD"),
    (Step::MergeRead, Role::Maintainer, "merge: GET table"),
    (Step::MergeTable, Role::Maintainer, "merge: PUT table"),
    (Step::MergeHead, Role::Maintainer, "merge: PUT HEAD"),
    (Step::FenceHead, Role::Maintainer, "collect: PUT HEAD, fence"),
    (Step::CollectList, Role::Maintainer, "collect: LIST"),
    (Step::ReadPinned, Role::Maintainer, "collect: GET pin"),
    (Step::PutList, Role::Maintainer, "collect: PUT list"),
    (
        Step::NameListHead,
        Role::Maintainer,
        "collect: PUT HEAD, list named",
    ),
    (
        Step::CondemnHead,
        Role::Maintainer,
        "collect: PUT HEAD, list condemned",
    ),
    (Step::ReadList, Role::Maintainer, "collect: GET list"),
    (Step::DeleteObjects, Role::Maintainer, "collect: DELETE objects"),
    (
        Step::DropListHead,
        Role::Maintainer,
        "collect: PUT HEAD, list dropped",
    ),
    (Step::DeleteList, Role::Maintainer, "collect: DELETE list"),
    (Step::PinCopy, Role::Reader, "pin: PUT copy"),
    (Step::PinHead, Role::Reader, "pin: PUT HEAD"),
    (Step::OpenPin, Role::Reader, "open pin: GET copy"),
    (Step::ReleaseHead, Role::Reader, "release pin: PUT HEAD"),
    (Step::CreateLook, Role::Founder, "create: GET HEAD"),
    (Step::ProbePut, Role::Founder, "create: PUT of the probe"),
    (Step::ProbeDelete, Role::Founder, "create: DELETE of the probe"),
    (Step::CreateList, Role::Founder, "create: LIST"),
    (Step::CreateVersioning, Role::Founder, "create: GET versioning"),
    (Step::CreateHead, Role::Founder, "create: PUT HEAD"),
    (Step::DestroyLook, Role::Founder, "destroy: GET HEAD"),
    (Step::DestroyHead, Role::Founder, "destroy: DELETE HEAD"),
    (Step::DestroyList, Role::Founder, "destroy: LIST"),
    (Step::DestroyObjects, Role::Founder, "destroy: DELETE objects"),
];

/// On which side of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Side {
    /// It was not sent.
    Before,
    /// It was applied, and nobody has seen the answer.
    After,
}

/// A place between two requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Point {
    pub(super) step: Step,
    pub(super) side: Side,
}

impl Point {
    /// Every one of them, with who is told to die there.
    pub(crate) fn all() -> impl Iterator<Item = (Self, Role)> {
        STEPS
            .into_iter()
            .flat_map(|(step, role, _)| [Side::Before, Side::After].map(|side| (Self { step, side }, role)))
    }

    /// The one of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::all()
            .map(|(point, _)| point)
            .find(|point| point.to_string() == name)
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Before => "before",
            Side::After => "after",
        };
        let name = STEPS.iter().find(|(step, _, _)| *step == self.step);
        write!(f, "{side} {}", name.map_or("", |(_, _, name)| name))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_lead_back() {
        let names: BTreeSet<String> = Point::all().map(|(point, _)| point.to_string()).collect();
        assert_eq!(names.len(), 2 * STEPS.len());
        for (point, _) in Point::all() {
            assert_eq!(Point::named(&point.to_string()), Some(point));
        }
        assert_eq!(Point::named("before lunch"), None);
    }
}
