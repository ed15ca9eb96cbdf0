/** When a BufferedWriter commits, what has been committed once its calls resolve, and who hears of a failure. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type BufferedTarget,
  BufferedWriter,
  Engine,
  FastStore,
  ZdsRoot,
} from '../../../src/store/index.ts';
import { FaultDisk } from '../../support/fault-disk.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'zds-buffered-'));
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(root, { recursive: true, force: true });
});

describe('BufferedWriter on lines', () => {
  it('commits by operations, by bytes, when asked and at the end, and says why', async () => {
    const store = await FastStore.open(root, 'c');
    const writer = new BufferedWriter(store, { maxPendingOps: 10, maxPendingBytes: 5000 });
    for (let i = 0; i < 25; i++) await writer.put(`a${i}`, { i });
    expect(writer.stats).toMatchObject({ ops: 2, bytes: 0 });
    expect(await writer.delete('a0')).toBe(true);
    expect(await writer.delete('a0')).toBe(false);
    await writer.flush();
    expect(writer.pendingOps).toBe(0);
    await writer.put('big', { text: 'x'.repeat(6000) });
    await expect(writer.put('../x', {})).rejects.toMatchObject({ code: 'INVALID_ID' });
    await writer.put('last', {});
    await writer.close();
    expect(writer.stats).toEqual({ ops: 2, bytes: 1, interval: 0, explicit: 1, close: 1 });
    expect(writer.count).toBe(27);
    expect(store.uncommittedBytes).toBe(0);
    await expect(writer.put('x', {})).rejects.toMatchObject({ code: 'CLOSED' });
    await store.close();
  });

  it('commits after its interval though nobody calls', async () => {
    vi.useFakeTimers();
    const disk = new FaultDisk();
    const store = await FastStore.open('/s', 'c', { disk });
    const writer = new BufferedWriter(store, { flushIntervalMs: 50 });
    await writer.put('a', {});
    expect(store.uncommittedBytes).toBeGreaterThan(0);
    await vi.advanceTimersByTimeAsync(60);
    expect(writer.stats.interval).toBe(1);
    const reader = await FastStore.open('/s', 'c', { disk, mode: 'read' });
    expect(reader.count).toBe(1);
    await vi.advanceTimersByTimeAsync(500);
    expect(writer.stats.interval).toBe(1);
  });

  it('gives a failure of its own commits to the next call and to close', async () => {
    const disk = new FaultDisk();
    const store = await FastStore.open('/s', 'c', { disk });
    const writer = new BufferedWriter(store, { maxPendingOps: 2 });
    await writer.put('a', {});
    disk.fault = 'EIO';
    disk.dieAt = disk.operations;
    await writer.put('b', {});
    await new Promise((resolve) => setTimeout(resolve, 5));
    await expect(writer.put('c', {})).rejects.toMatchObject({ code: 'IO_ERROR' });
    await expect(writer.close()).rejects.toMatchObject({ code: 'IO_ERROR' });
    await expect(store.close()).rejects.toMatchObject({ code: 'POISONED' });
  });
});

describe('BufferedWriter on files', () => {
  it('writes when a limit is reached, and loses nothing over a missing id', async () => {
    const writer = await BufferedWriter.open(root, 'c', { maxPendingOps: 3 });
    await writer.put('a', { n: 1 });
    expect(await writer.delete('nobody')).toBe(false);
    await writer.put('b', { n: 2 });
    await writer.put('c', { n: 3 });
    expect(await writer.delete('a')).toBe(true);
    await writer.put('a', { n: 4 });
    await writer.put('gone', {});
    expect(await writer.delete('gone')).toBe(true);
    await writer.flush();
    expect(readdirSync(join(root, 'collections/c/docs')).sort()).toEqual([
      'a.json',
      'b.json',
      'c.json',
    ]);
    expect(readFileSync(join(root, 'collections/c/meta/order.ids'), 'utf8')).toBe('b\nc\na\n');
    await writer.close();
    expect(writer.count).toBe(5);
    const engine = await Engine.open<{ n: number }>(root, 'c');
    expect(
      engine
        .scan()
        .collect()
        .map(({ n }) => n),
    ).toEqual([2, 3, 4]);
  });

  it('counts bytes, and does not stop for a document that is refused', async () => {
    const writer = await BufferedWriter.open(root, 'c', { maxPendingBytes: 1000 });
    for (let i = 0; i < 40; i++) await writer.put(`d${i}`, { pad: 'x'.repeat(100) });
    await expect(writer.put('..', {})).rejects.toMatchObject({ code: 'INVALID_ID' });
    await writer.close();
    expect(writer.stats.bytes).toBeGreaterThanOrEqual(3);
    expect((await Engine.open(root, 'c')).len()).toBe(40);
    await expect(BufferedWriter.open(root, 'c', { maxPendingOps: 0 })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    // The lock was let go of.
    await (await ZdsRoot.open(root)).close();
  });
});

/** Commits slowly what was put before, one after the other, and counts how many do so at once. */
class SlowTarget implements BufferedTarget<object> {
  durable = 0;
  most = 0;
  failAt = Number.POSITIVE_INFINITY;
  readonly uncommittedBytes = 0;
  #puts = 0;
  #running = 0;
  #flushes = 0;

  put(): void {
    this.#puts++;
  }

  delete(): boolean {
    this.#puts++;
    return true;
  }

  async flush(): Promise<void> {
    const taken = this.#puts;
    const flush = ++this.#flushes;
    if (flush > this.failAt) throw new Error('refused after a failure');
    this.most = Math.max(this.most, ++this.#running);
    await new Promise((resolve) => setTimeout(resolve, 2));
    this.#running--;
    if (flush === this.failAt) throw new Error('the disk is full');
    this.durable = taken;
  }
}

describe('calls of a BufferedWriter that overlap', () => {
  it.each([1, 2, 3, 1000])(
    'resolve when what came before is durable (%i a commit)',
    async (ops) => {
      const target = new SlowTarget();
      const writer = new BufferedWriter<object>(target, { maxPendingOps: ops });
      const calls: Promise<unknown>[] = [];
      for (let put = 1; put <= 12; put++) {
        calls.push(writer.put(`d${put}`, {}));
        if (put % 4 === 0) await Promise.resolve();
        if (put % 5 === 2) continue;
        calls.push(writer.flush().then(() => expect(target.durable).toBeGreaterThanOrEqual(put)));
      }
      calls.push(writer.put('last', {}));
      for (let i = 0; i < 2; i++) {
        calls.push(writer.close().then(() => expect(target.durable).toBe(13)));
      }
      await Promise.all(calls);
      expect(target.most).toBe(1);
      expect(writer.pendingOps).toBe(0);
    },
  );

  it('close for puts that nobody waits for', async () => {
    const target = new SlowTarget();
    const writer = new BufferedWriter<object>(target, { maxPendingOps: 2 });
    const puts = Array.from({ length: 6 }, (_, i) => writer.put(`d${i}`, {}));
    await writer.close();
    expect(target.durable).toBe(6);
    await Promise.all(puts);
  });

  it('commit behind the one under way when their interval is over', async () => {
    const target = new SlowTarget();
    const writer = new BufferedWriter<object>(target, { flushIntervalMs: 1 });
    for (let i = 0; i < 20; i++) {
      await writer.put(`d${i}`, {});
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await writer.close();
    expect(target).toMatchObject({ durable: 20, most: 1 });
  });

  it('all hear of the first failure', async () => {
    for (const ops of [1, 2, 1000]) {
      const target = new SlowTarget();
      target.failAt = 2;
      let ended = 0;
      const writer = new BufferedWriter<object>(target, { maxPendingOps: ops }, async () => {
        ended++;
      });
      await writer.put('a', {});
      await writer.flush();
      const puts = Promise.all([writer.put('b', {}), writer.put('c', {}), writer.put('d', {})]);
      const calls = [writer.flush(), writer.flush(), writer.close(), writer.close()];
      for (const call of await Promise.allSettled(calls)) {
        expect(call).toMatchObject({ reason: { message: 'the disk is full' } });
      }
      await puts;
      await expect(writer.close()).rejects.toThrow('the disk is full');
      await expect(writer.put('x', {})).rejects.toMatchObject({ code: 'CLOSED' });
      expect(ended).toBe(1);
    }
  });
});
