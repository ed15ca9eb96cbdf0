/** The counts of runs in the text format that Prometheus reads (version 0.0.4). */
import type { StageCounts } from './ledger.ts';
import type { RunProgress } from './options.ts';

const RUN_COUNTERS = [
  ['read', 'Records read, bad ones included.'],
  ['written', 'Documents written to the sink.'],
  ['filtered', 'Documents that transforms left out.'],
  ['rejected', 'Bad records set aside or passed over.'],
  ['expanded', 'Documents that transforms added.'],
] as const;

const STAGE_COUNTERS = [
  ['in', 'Documents that a stage took.'],
  ['out', 'Documents that a stage gave.'],
] as const;

/**
 * One page for any number of runs, ended or not; of several of one name, the last given. Counters are
 * per run and begin at zero with it.
 */
export function renderMetrics(runs: Iterable<RunProgress>): string {
  // Two samples of the same labels make the page unreadable.
  const all = [...new Map(Array.from(runs, (run) => [run.name, run])).values()];
  const lines: string[] = [];
  const family = (name: string, type: string, help: string): void => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
  };
  for (const [count, help] of RUN_COUNTERS) {
    const name = `zds_run_${count}_documents_total`;
    family(name, 'counter', help);
    for (const run of all) lines.push(sample(name, labels(run), run[count]));
  }
  family(
    'zds_run_read_bytes_total',
    'counter',
    'Bytes of documents read, where they came as bytes.',
  );
  for (const run of all) lines.push(sample('zds_run_read_bytes_total', labels(run), run.bytes));
  family('zds_run_seconds', 'gauge', 'Seconds since the run began, or that it took.');
  for (const run of all) lines.push(sample('zds_run_seconds', labels(run), run.seconds));
  for (const [count, help] of STAGE_COUNTERS) {
    const name = `zds_stage_${count}_documents_total`;
    family(name, 'counter', help);
    for (const run of all) {
      for (const [i, stage] of run.stages.entries()) {
        lines.push(sample(name, { ...labels(run), ...stageLabels(stage, i) }, stage[count]));
      }
    }
  }
  family('zds_stage_seconds_total', 'counter', 'Seconds spent in a stage.');
  for (const run of all) {
    for (const [i, stage] of run.stages.entries()) {
      const named = { ...labels(run), ...stageLabels(stage, i) };
      lines.push(sample('zds_stage_seconds_total', named, stage.seconds));
    }
  }
  return `${lines.join('\n')}\n`;
}

type Labels = Readonly<Record<string, string>>;

/** The load id is no label: every run would be a time series of its own. */
function labels({ name }: RunProgress): Labels {
  return { run: name };
}

function stageLabels({ name }: StageCounts, i: number): Labels {
  return { position: String(i), stage: name };
}

function sample(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  return `${name}{${pairs.join(',')}} ${value}`;
}

function escapeLabel(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}
