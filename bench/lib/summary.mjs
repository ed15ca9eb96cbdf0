/**
 * From measurements to comparisons: medians, ratios to our time in the same run, targets met or
 * missed, and failures (ours failed, or a digest differs).
 */

/** Documents that a run must have before its targets are judged; below it start-up dominates. */
const JUDGED_FROM = 1_000_000;

/** One work's rows. Times in seconds; `ratio` is the contestant's time over ours. */
export function summarise(suite, work, measured, documents) {
  const failures = [];
  const rows = measured.map(({ contestant, outcome }) => row(work, contestant, outcome));
  const ours = rows.find((entry) => entry.ours);
  const reference = rows.find((entry) => entry.digest !== undefined && !entry.scaled);
  for (const entry of rows) {
    if (entry.reason !== undefined) {
      if (!entry.peer) failures.push(`${work.name}, ${entry.name}: ${entry.reason}`);
      continue;
    }
    if (ours?.median !== undefined && !entry.scaled) entry.ratio = entry.median / ours.median;
    const comparable = entry.digest !== undefined && !entry.scaled;
    if (comparable && entry.digest !== reference.digest) {
      failures.push(
        `${work.name}: ${entry.name} got ${entry.digest}, ${reference.name} got ${reference.digest}`,
      );
    }
  }
  const judged = documents >= JUDGED_FROM;
  const targets = (work.targets ?? []).flatMap((target) => judge(target, rows, ours, judged));
  return {
    suite: suite.name,
    name: work.name,
    title: work.title,
    digest: reference?.digest,
    rows,
    targets,
    failures,
  };
}

function row(work, contestant, outcome) {
  const { name, peer = false, ours = false, note, scale } = contestant;
  const base = { name, peer, ours, ...(note ? { note } : {}), scaled: scale !== undefined };
  if (!outcome.ok) return { ...base, reason: outcome.reason };
  const seconds = [...outcome.seconds].sort((a, b) => a - b);
  const median = seconds[seconds.length >> 1];
  const items = work.items?.(outcome.count) ?? outcome.count;
  return {
    ...base,
    seconds: outcome.seconds,
    median,
    perSecond: items / median,
    documents: outcome.count,
    maxRssBytes: outcome.maxRssBytes,
    digest: outcome.digest,
  };
}

/**
 * `{ against, times }`, `{ withinTimes, against }`, `{ seconds }` or `{ mebibytes }`. `by` names the form
 * of ours that does what the other does, where that is not the one that ratios are shown to.
 */
function judge(target, rows, shown, judged) {
  const ours = target.by === undefined ? shown : rows.find(({ name }) => name === target.by);
  if (ours?.median === undefined) return [];
  const verdict = (text, met) => [{ text, ...(judged ? { met } : {}) }];
  if (target.seconds !== undefined) {
    return verdict(`at most ${target.seconds} s`, ours.median <= target.seconds);
  }
  if (target.mebibytes !== undefined) {
    return verdict(
      `at most ${target.mebibytes} MiB`,
      ours.maxRssBytes <= target.mebibytes * 2 ** 20,
    );
  }
  const rival = rows.find((entry) => entry.name === target.against);
  if (rival?.median === undefined) return [];
  if (target.withinTimes !== undefined) {
    return verdict(
      `within ${target.withinTimes} times of ${rival.name}`,
      ours.median <= rival.median * target.withinTimes,
    );
  }
  const by = ours === shown ? '' : ` (${ours.name})`;
  return verdict(
    `${target.times} times ${rival.name}${by}`,
    rival.median >= ours.median * target.times,
  );
}
