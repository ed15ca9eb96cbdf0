/**
 * One store, written in turns by this package and by the published crate, in random sequences of
 * sessions: puts, overwrites, deletes, deaths without closing, readers beside, lost and old-fashioned
 * indexes. After every session three must agree: what we show, what docs/format/collection.md says
 * (test/support/reference-store), and a Map of what was put and deleted. Where the format cannot know
 * of a delete by the crate (nothing that it has stands behind), the document may be there again, with
 * its newest contents.
 *
 * ZDS_INTEROP=1 runs it; ZDS_SEQUENCES (500) and ZDS_SEED choose how much and which.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CrateDocuments, Oracle, whyNoOracle } from '../../conformance/oracle.ts';
import { Batch, type Document } from '../../src/core/batch.ts';
import { sharedKernel } from '../../src/kernels/index.ts';
import { FastStore } from '../../src/store/index.ts';
import { parseIndex, readReference } from '../support/reference-store.ts';

const SEQUENCES = Number(process.env.ZDS_SEQUENCES ?? 500);
const SEED = Number(process.env.ZDS_SEED ?? Date.now() % 1e9);
const reason = whyNoOracle();

const ids = ['a', 'b', 'c', 'd', 'e', 'é', '日本', 'a.b', 'A-1_2', 'f', 'g', 'h'];
const extras: Document[] = [
  {},
  { A: { _id: 'a' } },
  { text: 'line\nbreak "quoted" \\ \u2028 é 😀' },
  { list: [1, -2.5, 1.5e300, null, true, { _id: 'b' }], '': 0 },
  { z: 'x'.repeat(300) },
];

type Random = (below: number) => number;

function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** A store in its folder, with what everybody should find there. */
class Sequence {
  readonly root: string;
  readonly meta: string;
  readonly history: string[] = [];
  /** Put and not deleted by anybody. */
  readonly model = new Map<string, Document>();
  /** Deleted by the crate and not put since: the newest contents, which may be there again. */
  readonly uncertain = new Map<string, Document>();
  /** Deleted by the crate, gone by its index, and not yet by a log of ours: where its line starts. */
  readonly #settled = new Map<string, { at: number; document: Document }>();
  /** index.bin is known to tell all of the model. */
  current = false;
  #put = 0;
  readonly #random: Random;
  readonly #oracle: Oracle;

  constructor(folder: string, number: number, random: Random, oracle: Oracle) {
    this.root = join(folder, `s${number}`);
    this.meta = join(this.root, 'collections', 'c', 'meta');
    this.#random = random;
    this.#oracle = oracle;
  }

  async play(): Promise<void> {
    await this.#oracle.ask('init', { root: this.root });
    const steps = 3 + this.#random(5);
    for (let i = 0; i < steps; i++) await this.#step();
    await this.#checkOurs('read');
    rmSync(this.root, { recursive: true });
  }

  #step(): Promise<void> {
    const choice = this.#random(20);
    if (choice < 7) return this.#ourSession();
    if (choice < 13) return this.#crateSession();
    if (choice < 15) return this.#ourDeath();
    if (choice < 17) return this.#crateReaderBeside();
    if (choice < 18) return this.#checkOurs('read');
    return this.#changeIndex();
  }

  #document(): Document {
    return { n: this.#put++, ...extras[this.#random(extras.length)] };
  }

  #id(): string {
    return ids[this.#random(ids.length)]!;
  }

  #keep(id: string, document: Document): void {
    this.uncertain.delete(id);
    this.#settled.delete(id);
    this.model.delete(id);
    this.model.set(id, { ...document, _id: id });
  }

  async #ourSession(compacts = false): Promise<void> {
    this.history.push('ours');
    const store = await this.#openOurs();
    await this.#change(store);
    if (compacts) {
      this.history.push('compact');
      await store.compact();
    }
    this.history.push('close');
    await store.close();
    this.current = true;
  }

  /** Dies with a commit behind it, and with documents that no commit covers. */
  async #ourDeath(): Promise<void> {
    this.history.push('ours, dying');
    const store = await this.#openOurs();
    await this.#change(store);
    await store.flush();
    const lost = this.#document();
    for (let i = this.#random(4); i > 0; i--) store.put(this.#id(), lost);
    await store.scanAll();
    await store.abandon();
    this.current = false;
    // Others may go on only when the store was opened once after a death, which a reader of ours is
    // not: it must see the commits all the same.
    await this.#checkOurs('read');
    await this.#ourSession();
  }

  async #change(store: FastStore): Promise<void> {
    for (let i = this.#random(6); i > 0; i--) {
      const id = this.#id();
      const document = this.#document();
      const choice = this.#random(10);
      if (choice < 4) store.put(id, document);
      else if (choice < 6) {
        await store.append(Batch.fromDocuments([{ ...document, _id: id }], sharedKernel().codec));
      } else if (choice < 9) {
        this.history.push(`delete ${id}`);
        const there = this.model.delete(id) || (this.uncertain.has(id) && store.exists(id));
        this.uncertain.delete(id);
        expect(store.delete(id)).toBe(there);
        continue;
      } else {
        const compacts = this.#random(2) === 0;
        this.history.push(compacts ? 'compact' : 'flush');
        await (compacts ? store.compact() : store.flush());
        continue;
      }
      this.history.push(`put ${id} ${document.n}`);
      this.#keep(id, document);
    }
  }

  async #crateSession(): Promise<void> {
    const name = 'writer';
    await this.#openCrate(name);
    const before = statSync(join(this.meta, 'data.jsonl')).size;
    let deleted = 0;
    for (let i = this.#random(6); i > 0; i--) {
      const id = this.#id();
      const document = this.#document();
      const choice = this.#random(10);
      if (choice < 4) await this.#oracle.ask('put', { name, id, document });
      else if (choice < 5) {
        const line = JSON.stringify({ ...document, _id: id });
        await this.#oracle.ask('putRaw', { name, id, line });
      } else if (choice < 6) {
        const jsonl = `${JSON.stringify({ _id: id, ...document })}\n`;
        await this.#oracle.ask('writeBlob', { name, jsonl, ids: [id] });
      } else if (choice < 9) {
        const held = this.model.get(id);
        const known = (await this.#oracle.ask<string[]>('ids', { name })).includes(id);
        if (!known) continue;
        this.history.push(`crate: delete ${id}`);
        await this.#oracle.ask('delete', { name, id });
        deleted++;
        if (held !== undefined) this.uncertain.set(id, held);
        this.model.delete(id);
        continue;
      } else {
        await this.#oracle.ask('flush', { name });
        continue;
      }
      this.history.push(`crate: put ${id} ${document.n}`);
      this.#keep(id, document);
    }
    await this.#oracle.ask('close', { name });
    this.history.push(`crate: close (${deleted} deleted)`);
    this.#settle(before);
    await this.#checkOurs('read');
  }

  /**
   * What the crate added behind `from` and deleted again is gone, if it has a document behind that: for
   * as long as it has, and for good when a writer of ours has seen it. Not where its index names a line
   * after another id, as it does when it has read a line whose first `_id` is one of an object within:
   * such an index tells of no delete.
   */
  #settle(from: number): void {
    const index = parseIndex(readFileSync(join(this.meta, 'index.bin')))!;
    const starts = new Map<number, string>();
    let offset = 0;
    for (const line of readFileSync(join(this.meta, 'data.jsonl'), 'latin1').split('\n')) {
      const text = Buffer.from(line, 'latin1').toString();
      if (text !== '') starts.set(offset, (JSON.parse(text) as { _id: string })._id);
      offset += line.length + 1;
    }
    const isSound = [...index.places].every(([id, place]) => starts.get(place.offset) === id);
    const offsets = [...index.places.values()].map((place) => place.offset);
    const reach = isSound ? Math.max(0, ...offsets) : 0;
    for (const [id, { at, document }] of this.#settled) {
      if (at < reach) continue;
      this.uncertain.set(id, document);
      this.#settled.delete(id);
    }
    const newest = new Map([...starts].filter(([at]) => at >= from).map(([at, id]) => [id, at]));
    for (const [id, at] of newest) {
      const document = this.uncertain.get(id);
      if (document === undefined || at >= reach) continue;
      this.uncertain.delete(id);
      this.#settled.set(id, { at, document });
    }
  }

  /** A reader of the crate that writes the index of its day when we have long gone on. */
  async #crateReaderBeside(): Promise<void> {
    if (!existsSync(join(this.meta, 'data.jsonl'))) return;
    this.history.push('crate reader opens');
    await this.#oracle.ask('open', { name: 'r', root: this.root, collection: 'c', mode: 'read' });
    await this.#ourSession(this.#random(2) === 0);
    this.history.push('crate reader drops');
    await this.#oracle.ask('close', { name: 'r' });
    this.current = false;
    if (this.#random(2) === 0) await this.#crateAddition();
    await this.#checkOurs(this.#random(2) === 0 ? 'read' : 'write');
    if (!this.current) await this.#ourSession();
  }

  /** A writer of the crate on whatever index there is, blind to what that does not tell. */
  async #crateAddition(): Promise<void> {
    const name = 'blind';
    await this.#openCrate(name);
    for (let i = 1 + this.#random(3); i > 0; i--) {
      const id = this.#id();
      const document = this.#document();
      this.history.push(`crate, blind: put ${id} ${document.n}`);
      await this.#oracle.ask('put', { name, id, document });
      this.#keep(id, document);
    }
    await this.#oracle.ask('close', { name });
  }

  async #changeIndex(): Promise<void> {
    const path = join(this.meta, 'index.bin');
    if (!existsSync(path)) return;
    // A lost index takes the crate's deletes with it: only after we have seen them.
    await this.#checkOurs('write');
    const index = parseIndex(readFileSync(path));
    if (this.#random(2) === 0) {
      this.history.push('index.bin lost');
      rmSync(path, { force: true });
    } else if (index && index.places.size > 0) {
      this.history.push('index.bin as text');
      const lines = [...index.places].map(([id, at]) => `${id}\t${at.offset}\t${at.length}\n`);
      writeFileSync(path, lines.join(''));
    }
    this.current = false;
    await this.#checkOurs('read');
    await this.#ourSession();
  }

  async #openOurs(): Promise<FastStore> {
    const expected = this.#expected();
    const store = await FastStore.open(this.root, 'c');
    const found = await store.scanAll();
    expect(found).toEqual([...expected.values()]);
    expect(store.count).toBe(expected.size);
    this.#settled.clear();
    return store;
  }

  async #openCrate(name: string): Promise<void> {
    this.history.push('crate: open');
    await this.#oracle.ask('open', { name, root: this.root, collection: 'c', batch: 3 });
    if (!this.current) return;
    const found = await this.#oracle.ask<CrateDocuments>('all', { name });
    const { documents } = readReference(this.meta)!;
    const expected = [...documents].map(([id, { _id, ...rest }]) => [id, rest]);
    // An empty index makes the crate read the data anew, with all that was ever deleted.
    if (expected.length > 0) expect(found).toEqual(Object.fromEntries(expected));
    this.current = false;
  }

  async #checkOurs(mode: 'read' | 'write'): Promise<void> {
    if (!existsSync(join(this.meta, 'data.jsonl'))) return;
    this.history.push(`check by opening for ${mode}`);
    const expected = this.#expected();
    const store = await FastStore.open(this.root, 'c', { mode });
    const found = await store.scanAll();
    for (const document of found) expect(store.get(document._id as string)).toEqual(document);
    await store.close();
    expect(found).toEqual([...expected.values()]);
    if (mode === 'read') return;
    this.current = true;
    this.#settled.clear();
  }

  /** What the format says, after it has been held against the Map. */
  #expected(): Map<string, Document> {
    const state = readReference(this.meta);
    expect(state).toBeDefined();
    const documents = state!.documents;
    for (const [id, document] of this.model) expect(documents.get(id)).toEqual(document);
    for (const [id, document] of documents) {
      if (!this.model.has(id)) expect(this.uncertain.get(id)).toEqual(document);
    }
    return documents;
  }
}

describe.skipIf(reason)(
  `a store written in turns with the crate${reason ? ` (skipped: ${reason})` : ''}`,
  () => {
    let folder: string;
    let oracle: Oracle;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'zds-turns-'));
      oracle = Oracle.start();
    }, 300_000);
    afterAll(() => {
      oracle?.stop();
      rmSync(folder, { recursive: true });
    });

    it(`loses and invents nothing in ${SEQUENCES} sequences from seed ${SEED}`, async () => {
      for (let i = 0; i < SEQUENCES; i++) {
        const sequence = new Sequence(folder, i, createRandom(SEED + i), oracle);
        try {
          await sequence.play();
        } catch (error) {
          throw new Error(`ZDS_SEED=${SEED + i} ZDS_SEQUENCES=1: ${sequence.history.join('; ')}`, {
            cause: error,
          });
        }
      }
    }, 600_000);
  },
);
