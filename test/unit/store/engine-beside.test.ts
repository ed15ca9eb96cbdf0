/** Collections with a file per document beside others: what changes, fails or ends in between. */
import { expect, it } from 'vitest';
import { EtlError } from '../../../src/core/errors.ts';
import { Engine, EngineWriter } from '../../../src/store/index.ts';
import { FaultDisk } from '../../support/fault-disk.ts';
import { sleep } from '../../support/stages.ts';

const DOCS = '/s/collections/c/docs';
const failure = (code: string) => expect.objectContaining({ code });

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

it('a flush that fails has ended when it says so, and nothing is written after the lock is gone', async () => {
  let fails = false;
  class LateDisk extends FaultDisk {
    override async open(...of: Parameters<FaultDisk['open']>) {
      if (fails && of[0].endsWith('journal.log') && of[1] === 'create') {
        throw new EtlError('IO_ERROR', 'cannot open');
      }
      if (of[0].endsWith('.a.tmp')) await sleep(20);
      return super.open(...of);
    }
  }
  const disk = new LateDisk();
  const writer = await EngineWriter.open('/s', 'c', { disk });
  writer.put('a', { n: 1 });
  fails = true;
  await expect(writer.close()).rejects.toThrow(failure('IO_ERROR'));
  fails = false;
  const next = await EngineWriter.open('/s', 'c', { disk });
  const before = [...disk.current().keys()];
  await sleep(40);
  expect([...disk.current().keys()]).toEqual(before);
  await next.close();
});

it('of two refreshes at once the one that began first does not lead back', async () => {
  const disk = new FaultDisk();
  const writer = await EngineWriter.open('/s', 'c', { disk });
  writer.put('a', { n: 1 });
  await writer.flush();
  const engine = await Engine.open('/s', 'c', { disk });
  const list = disk.list.bind(disk);
  disk.list = async (path) => {
    disk.list = list;
    const found = await list(path);
    await sleep(20);
    return found;
  };
  const first = engine.refresh();
  await sleep(1);
  writer.put('b', { n: 2 });
  await writer.flush();
  await engine.refresh();
  expect(engine.docIds()).toEqual(['a', 'b']);
  await first;
  expect(engine.docIds()).toEqual(['a', 'b']);
  await writer.close();
});
