/**
 * Sums one column of a collection in a process of its own, once: from its snapshot, by the snapshot's statistics, from
 * an Arrow file in a map, or from the documents. The clock starts when everything is loaded that the way needs, what maps files
 * among it.
 *
 *   node bench/sum-column.mjs snapshot|totals|arrow|documents PATH
 */
import { performance } from 'node:perf_hooks';

const COLUMN = 'score';
const [way, path] = process.argv.slice(2);

/** Each loads its modules and answers what is timed. */
const ways = {
  async snapshot() {
    const { collectionTable } = await import('zds-stream/columns');
    return async () => sumOf(await collectionTable(path, 'docs', { columns: [COLUMN] }));
  },
  async totals() {
    const { columnTotals } = await import('zds-stream/columns');
    return async () => (await columnTotals(path, 'docs', { columns: [COLUMN] }))[0].sum;
  },
  async arrow() {
    const { tableFromIPC } = await import('apache-arrow');
    const { createNodeDisk, nativeSupport } = await import('../dist/io/index.js');
    if (!nativeSupport()) throw new Error('files cannot be mapped here');
    return async () => {
      const file = await createNodeDisk().open(path, 'read');
      const size = await file.size();
      const view = file.view();
      view.extend(size);
      return sumOf(tableFromIPC(view.bytes(0, size)));
    };
  },
  async documents() {
    const { zdsSource } = await import('zds-stream');
    return async () => {
      let sum = 0;
      for await (const { score } of zdsSource(path, 'docs', { select: [COLUMN] })) sum += score;
      return sum;
    };
  },
};

function sumOf(table) {
  let sum = 0;
  for (const { values } of table.getChild(COLUMN).data) sum = addTo(sum, values);
  return sum;
}

/** By itself: V8 optimises a function of one loop at its second call, nested loops later. */
function addTo(start, values) {
  let sum = start;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum;
}

const work = await ways[way]();
const start = performance.now();
const result = await work();
const seconds = (performance.now() - start) / 1000;
const maxRssBytes = process.resourceUsage().maxRSS * 1024;
console.log(JSON.stringify({ seconds, maxRssBytes, result }));
