/** How a run of a pipeline ended, in words or as JSON. */
import type { RunSummary } from '../pipeline/index.ts';
import { formatCount, formatDocuments, formatRate, formatSeconds } from './text.ts';

/** What people read: a line, and one more for each thing worth knowing. */
export function describeRun({ name, written, seconds, ...summary }: RunSummary): string {
  const rate = formatRate(written / seconds);
  const { read, filtered, expanded, rejected, deadLetter, outcome, resumed } = summary;
  const counts = [
    `${formatCount(read)} read`,
    ...(expanded > 0 ? [`${formatCount(expanded)} added`] : []),
    ...(filtered > 0 ? [`${formatCount(filtered)} left out`] : []),
    ...(rejected > 0 ? [`${formatCount(rejected)} bad`] : []),
  ];
  const lines = [
    `${name}: ${formatDocuments(written)} written in ${formatSeconds(seconds)} (${rate}); ` +
      counts.join(', '),
  ];
  if (resumed) lines.push('went on where it was committed last');
  if (deadLetter) lines.push(`bad ones are in ${deadLetter}`);
  if (outcome === 'stopped') {
    const left =
      summary.sink === undefined ? 'the output was given up' : 'what was read is written';
    lines.push(`stopped before the end; ${left}`);
  }
  return lines.map((line) => `${line}\n`).join('');
}

/** The same for programs, on one line. */
export function describeRunJson({ seconds, stages, sink, ...summary }: RunSummary): string {
  const round = (value: number) => Number(value.toFixed(3));
  return JSON.stringify({
    ...summary,
    seconds: round(seconds),
    documentsPerSecond: Math.round(summary.written / seconds),
    stages: stages.map((stage) => ({ ...stage, seconds: round(stage.seconds) })),
    sink: plainFields(sink),
  });
}

/** What a sink says of itself in numbers and words. */
function plainFields(summary: unknown): Record<string, unknown> {
  const entries = Object.entries(summary ?? {}).filter(([, value]) => typeof value !== 'object');
  return Object.fromEntries(entries);
}
