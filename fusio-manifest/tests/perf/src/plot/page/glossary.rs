//! How to read the report.

/// The definitions, which hold for every run.
pub(super) const SECTION: &str = "\
<section>
<h2>How to read this</h2>
<dl class=\"glossary\">
<dt>Response time</dt><dd>From the moment an operation was due to its answer: what a user waits. Operations fall due by
a schedule, whatever became of earlier ones, so a stall of the store counts for everybody who was due meanwhile.</dd>
<dt>Service time</dt><dd>From the moment an operation was begun to its answer: what the store and the engine take. It
leaves out the wait in the queue, so a stall shows in one service time and in many response times.</dd>
<dt>Floor</dt><dd>Bare conditional PUTs and GETs of an object of HEAD's size, on the same store in the same run. What a
commit or a read takes beyond them is the engine's.</dd>
<dt>Attempt</dt><dd>One PUT of HEAD as one transaction saw it. A commit that lost its precondition (412 or 409) makes
another.</dd>
<dt>Predicted conflict rate</dt><dd>1 - e^(-(writers - 1) x rate x s), with s the mean service time of a write in seconds:
the chance that another writer of a Poisson load commits while one is at it.</dd>
<dt>Percentiles</dt><dd>From HDR histograms of 3 significant digits, 1 us to 60 s, merged by addition, never averaged.
From fewer than 100 samples they are mostly chance: drawn hollow, and marked with a dagger in tables.</dd>
<dt>Valid</dt><dd>The generator offered the load that was configured: p99 of its lateness is at most 5 ms and no arrival was
dropped. It is not the verdict, which says whether every check held.</dd>
<dt>Dollars</dt><dd>List prices for what was sent for commits (with the engine's maintenance) and for reads.</dd>
<dt>Simulated store</dt><dd>Latencies are drawn, not measured, and time is virtual: the run says what the protocol does
with the latencies of its profile, and nothing of processor, network or server.</dd>
</dl>
</section>
";
