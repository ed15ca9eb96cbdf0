/**
 * Drives of this package and of the published crate `simd-r-drive`: each reads what the other wrote, the
 * same operations give the same bytes, and where the crate loses what is whole, we do not.
 *
 * ZDS_INTEROP=1 runs it; ZDS_SEQUENCES (200) and ZDS_SEED choose how much and which.
 */
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Oracle, whyNoOracle } from '../../conformance/oracle.ts';
import {
  DataStore,
  formatBytes,
  hashKey,
  importDirRecursively,
  NamespaceHasher,
  readFileEntry,
  readOption,
  readWithTtl,
  type ValueCodec,
  writeOption,
  writeWithTtl,
} from '../../src/store/index.ts';
import { entriesOf, readReference, same, smallDrive } from '../support/drive.ts';

const SEQUENCES = Number(process.env.ZDS_SEQUENCES ?? 200);
const SEED = Number(process.env.ZDS_SEED ?? Date.now() % 1e9);
const reason = whyNoOracle();
const hex = (bytes: Uint8Array | string) => Buffer.from(bytes as string).toString('hex');

interface CrateEntry {
  readonly hash: string;
  readonly payload: string;
  readonly valid: boolean;
  readonly start: number;
  readonly end: number;
  readonly prev: number;
}

describe.skipIf(reason !== undefined)(
  `drives and simd-r-drive${reason ? `: ${reason}` : ''}`,
  () => {
    let folder: string;
    let oracle: Oracle;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'zds-drive-interop-'));
      oracle = Oracle.start('drive-oracle');
    }, 600_000);
    afterAll(() => {
      oracle?.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    /** Both must show the same entries, in the same order and at the same places. */
    async function agree(store: DataStore, path: string): Promise<void> {
      const theirs = await oracle.ask<CrateEntry[]>('entries', { path });
      const ours = [...store.iterEntries()].map((entry) => ({
        hash: entry.keyHash.toString(16).padStart(16, '0'),
        payload: hex(entry.payload),
        valid: entry.isValidChecksum(),
        start: entry.startOffset,
        end: entry.endOffset,
        prev: entry.metadata.prevOffset,
      }));
      expect(ours).toEqual(theirs);
    }

    it('write the same bytes for the same operations, in turns, and read each other', async () => {
      console.log(`ZDS_SEED=${SEED}`);
      let state = SEED >>> 0;
      const random = (below: number) => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return (state >>> 8) % below;
      };
      const key = () => ['a', 'b', 'c', 'é', 'k'.repeat(100), 'f'][random(6)]!;
      const payload = () => {
        const length = [1, 5, 43, 44, 45, 64, 300, 70_000][random(8)]!;
        return Buffer.alloc(length, 1 + random(255));
      };
      for (let number = 0; number < SEQUENCES; number++) {
        const [mine, its] = [join(folder, `o${number}`), join(folder, `c${number}`)];
        for (let session = 0; session < 3; session++) {
          const store = await DataStore.open(mine);
          await oracle.ask('open', { path: its });
          for (let i = random(12); i > 0; i--) {
            const [name, bytes, choice] = [key(), payload(), random(6)];
            let both: [number, number];
            if (choice < 2) {
              both = [
                await store.write(name, bytes),
                await oracle.ask('write', { path: its, key: hex(name), payload: hex(bytes) }),
              ];
            } else if (choice === 2) {
              both = [
                await store.writeStream(name, [bytes]),
                await oracle.ask('stream', { path: its, key: hex(name), payload: hex(bytes) }),
              ];
            } else if (choice === 3) {
              const batch = [name, key(), key()].map((each) => [each, payload()] as const);
              const keys = batch.map(([each]) => hex(each));
              const payloads = batch.map(([, each]) => hex(each));
              both = [
                await store.batchWrite(batch),
                await oracle.ask('batchWrite', { path: its, keys, payloads }),
              ];
            } else {
              // Deleting what is not there again, or one key twice, leaves a second mark in the crate.
              const keys = [...new Set([name, key()])].filter((each) => store.exists(each));
              const to = key();
              if (choice === 4 && keys[0] !== undefined && keys[0] !== to) {
                both = [
                  await store.rename(keys[0], to),
                  await oracle.ask('rename', { path: its, key: hex(keys[0]), newKey: hex(to) }),
                ];
              } else {
                both = [
                  await store.batchDelete(keys),
                  await oracle.ask('batchDelete', { path: its, keys: keys.map(hex) }),
                ];
              }
            }
            expect(both[0]).toBe(both[1]);
          }
          await agree(store, its);
          await store.close();
          await oracle.ask('close', { path: its });
          expect(readFileSync(mine).equals(readFileSync(its))).toBe(true);
          // The next session of each goes on with the other's file.
          copyFileSync(its, mine);
        }
        rmSync(mine);
        rmSync(its);
      }
    }, 600_000);

    it('copies, transfers and compactions are read by the crate', async () => {
      const [from, to] = [join(folder, 'from'), join(folder, 'to')];
      const store = await DataStore.open(from);
      const target = await DataStore.open(to);
      for (let i = 0; i < 50; i++) await store.write(`k${i % 20}`, Buffer.alloc(1 + i * 7, i + 1));
      await store.write('zeros', new Uint8Array(30));
      await store.copy('k3', target);
      await store.transfer('k4', target);
      const { bytesAfter } = await store.compact();
      expect(bytesAfter).toBe(statSync(from).size);
      for (const [each, path] of [
        [store, from],
        [target, to],
      ] as const) {
        await oracle.ask('open', { path });
        await agree(each, path);
        await oracle.ask('close', { path });
        await each.close();
      }
    });

    it('compactions by the crate are read by us', async () => {
      const path = join(folder, 'theirs');
      await oracle.ask('open', { path });
      for (let i = 0; i < 30; i++) {
        const payload = hex(Buffer.alloc(1 + i * 9, i + 1));
        await oracle.ask('write', { path, key: hex(`k${i % 9}`), payload });
      }
      await oracle.ask('compact', { path });
      await oracle.ask('close', { path });
      await oracle.ask('open', { path });
      const store = await DataStore.open(path, { mode: 'read' });
      expect(store.len()).toBe(9);
      await agree(store, path);
      await oracle.ask('close', { path });
      await store.close();
    });

    it('a cut, zeros or garbage behind: we keep all that is whole, and at least what the crate keeps', async () => {
      const whole = await smallDrive();
      let lostByCrate = 0;
      const ends = [
        Buffer.alloc(0),
        Buffer.alloc(40),
        Buffer.from('garbage that is no record at all'),
      ];
      for (let length = 130; length <= whole.length; length += length % 5 === 0 ? 1 : 3) {
        for (const end of length % 9 === 0 ? ends : [ends[0]!]) {
          const bytes = Buffer.concat([whole.subarray(0, length), end]);
          const [mine, its] = [join(folder, 'cut'), join(folder, 'cut-crate')];
          writeFileSync(mine, bytes);
          writeFileSync(its, bytes);
          const store = await DataStore.open(mine);
          const ours = entriesOf(store);
          const tail = store.fileSize();
          await store.close();
          await oracle.ask('open', { path: its });
          const theirs = await oracle.ask<CrateEntry[]>('entries', { path: its });
          await oracle.ask('close', { path: its });
          const { entries } = readReference(whole.subarray(0, tail));
          expect(same(ours, entries), `cut at ${length}`).toBe(true);
          for (const { hash, payload, valid } of theirs) {
            if (valid) expect(hex(Buffer.from(ours.get(hash)!, 'latin1'))).toBe(payload);
          }
          if (theirs.filter(({ valid }) => valid).length < ours.size) lostByCrate++;
          await oracle.ask('open', { path: mine });
          expect(await oracle.ask('entries', { path: mine })).toHaveLength(ours.size);
          await oracle.ask('close', { path: mine });
        }
      }
      expect(lostByCrate).toBeGreaterThan(50);
    }, 60_000);

    it('extensions store the same bytes', async () => {
      const [mine, its] = [join(folder, 'ext'), join(folder, 'ext-crate')];
      /** What bitcode makes of a u8. */
      const u8: ValueCodec<number> = { encode: (n) => Uint8Array.of(n), decode: (b) => b[0]! };
      const store = await DataStore.open(mine);
      await oracle.ask('open', { path: its });
      const key = hex('key');
      const namespace = { path: its, namespace: hex('space'), key };
      expect(hex(new NamespaceHasher('space').namespace('key'))).toBe(
        await oracle.ask('namespace', namespace),
      );
      for (const bytes of [0, 1023, 1024, 1536, 2 ** 20, 5 * 2 ** 20 + 7, 2 ** 31]) {
        expect(formatBytes(bytes)).toBe(await oracle.ask('formatBytes', { path: its, bytes }));
      }
      await writeOption(store, 'key', null);
      await oracle.ask('writeNone', { path: its, key });
      await writeOption(store, 'some', 7, u8);
      await oracle.ask('writeOption', { path: its, key: hex('some'), value: 7 });
      expect(readFileSync(mine).equals(readFileSync(its))).toBe(true);
      await writeWithTtl(store, 'key', 9, 1000, u8);
      await oracle.ask('writeTtl', { path: its, key, value: 9, seconds: 1000 });
      expect(statSync(mine).size).toBe(statSync(its).size);
      await store.close();
      await oracle.ask('close', { path: its });
      await oracle.ask('open', { path: mine });
      expect(await oracle.ask('readOption', { path: mine, key })).toBeNull();
      expect(await oracle.ask('readOption', { path: mine, key: hex('some') })).toBe(7);
      expect(await oracle.ask('readTtl', { path: mine, key })).toBe(9);
      await oracle.ask('close', { path: mine });
      const theirs = await DataStore.open(its);
      expect(readOption(theirs, 'key', u8)).toBeNull();
      expect(readOption(theirs, 'some', u8)).toBe(7);
      expect(await readWithTtl(theirs, 'key', u8)).toBe(9);
      await theirs.close();
    });

    it('imports have the same keys', async () => {
      const [mine, its, files] = [
        join(folder, 'im'),
        join(folder, 'im-crate'),
        join(folder, 'files'),
      ];
      mkdirSync(join(files, 'deep/er'), { recursive: true });
      const names = ['a.txt', 'deep/b', 'deep\\b', 'deep/er/é'];
      for (const name of names) writeFileSync(join(files, name), name);
      const store = await DataStore.open(mine);
      await oracle.ask('open', { path: its });
      for (const namespace of [undefined, 'space']) {
        const report = await importDirRecursively(store, files, { namespace });
        const theirs = await oracle.ask<string[]>('import', {
          path: its,
          folder: files,
          namespace,
        });
        expect(report.files.map(({ key }) => hex(key)).sort()).toEqual(theirs.sort());
        expect(Buffer.from(readFileEntry(store, 'deep/b', namespace)!.payload).toString()).toBe(
          'deep/b',
        );
      }
      expect(store.existsWithKeyHash(hashKey('deep/er/é'))).toBe(true);
      await store.close();
      await oracle.ask('close', { path: its });
    });
  },
);
