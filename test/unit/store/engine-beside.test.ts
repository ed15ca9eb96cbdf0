/** Collections with a file per document beside others: what changes, fails or ends in between. */
import { expect, it } from 'vitest';
import { Engine, EngineWriter } from '../../../src/store/index.ts';
import { FaultDisk } from '../../support/fault-disk.ts';

const DOCS = '/s/collections/c/docs';

it('a document that goes while it is looked at keeps nobody from the others', async () => {
  const disk = new FaultDisk();
  const writer = await EngineWriter.open('/s', 'c', { disk });
  writer.put('a', { n: 1 });
  await writer.close();
  const file = await disk.open(`${DOCS}/b.json`, 'create');
  await file.write(Buffer.from('{}'), 0);
  const stat = disk.stat.bind(disk);
  disk.stat = async (path) => {
    const found = await stat(path);
    if (path === `${DOCS}/b.json`) await disk.remove(path);
    return found;
  };
  const engine = await Engine.open('/s', 'c', { disk });
  expect(engine.docIds()).toEqual(['a']);
});
