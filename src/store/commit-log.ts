/**
 * meta/commits.log: what was committed, one checksummed JSON line per event
 * (docs/format/collection.md). Only the collection's writer appends; every line is synced before
 * it counts. Reading stops at the first line that is torn or whose sum is wrong: what follows was
 * never acknowledged. A reader reads on from where it stopped. Opening needs the log from its last
 * checkpoint on only, so it stays as quick after a hundred thousand commits as after ten.
 */
import { EtlError } from '../core/errors.ts';
import type { Disk, DiskFile } from '../io/disk.ts';
import { openIfThere } from '../io/open-if-there.ts';
import type { Hasher } from '../kernels/hasher.ts';

/** Numbers that a committer wants kept with the commit. */
export type Counts = { readonly [name: string]: number };

/** One commit as the log tells it. */
export interface CommitRecord {
  readonly op: 'commit';
  /** 1 for the first commit of the collection. */
  readonly seq: number;
  /** Bytes of data.jsonl that are committed. */
  readonly end: number;
  /** Documents alive. */
  readonly count: number;
  /** Document lines in those bytes, dead ones included. */
  readonly lines: number;
  /** Ids deleted since the commit before, each with the data size at that moment. */
  readonly deletes?: readonly (readonly [id: string, at: number])[];
  readonly cursor?: unknown;
  readonly loadId?: string;
  /** The pipeline that the load was a run of. */
  readonly run?: string;
  readonly counts?: Counts;
  /** ISO 8601. */
  readonly at: string;
}

/** `open`: a writer began to write. `close`: it ended in good order, all committed. */
export interface SessionRecord {
  readonly op: 'open' | 'close';
  readonly end: number;
  /** Of the last commit; only `close` tells. */
  readonly seq?: number;
  readonly at: string;
}

/** index.bin holds the state of `end`. */
export interface CheckpointRecord {
  readonly op: 'checkpoint';
  readonly end: number;
  readonly count: number;
  readonly lines: number;
  /** IdIndex.sum, 16 hex digits. */
  readonly indexSum: string;
  readonly indexBytes: number;
  /** The last commit, without its deletes: whoever reads from here on needs nothing before. */
  readonly commit?: CommitRecord;
  readonly at: string;
}

/** The first line of a log whose collection was written anew; stands for everything before. */
export interface CompactRecord {
  readonly op: 'compact';
  /** How often the collection was written anew, this time included. */
  readonly generation: number;
  readonly end: number;
  /** Commits that this line stands for. */
  readonly commits: number;
  /** The last cursor of every owner (`cursorOwner`; null: nobody's), the newest last. */
  readonly cursors: readonly (readonly [owner: string | null, cursor: unknown])[];
  /** What other programs may have read an index.bin of, the oldest first. */
  readonly states?: readonly IndexState[];
  readonly at: string;
}

/** How far an index.bin of some time can lead at most, and where what stood in the data then ends now. */
export type IndexState = readonly [end: number, place: number];

export type LogRecord = CommitRecord | SessionRecord | CheckpointRecord | CompactRecord;

const PIECE_BYTES = 256 << 10;
const HEAD = '{"sum":"';
const SUM_DIGITS = 16;
/** Bytes before the checksummed rest: the head, the digits, `",`. */
const REST = HEAD.length + SUM_DIGITS + 2;
const CHECKPOINT = '"op":"checkpoint"';
/** How far from the end a checkpoint is looked for at first, and at most. */
const TAIL_BYTES = 64 << 10;
const MOST_TAIL_BYTES = 64 << 20;

/** A commit as a later line of the log repeats it. */
export function withoutDeletes({ deletes: _, ...commit }: CommitRecord): CommitRecord {
  return commit;
}

/** Under which name a commit's cursor is kept: the pipeline's, else the load's. */
export function cursorOwner({ run, loadId }: CommitRecord): string | undefined {
  return run ?? loadId;
}

/** A line of the log, newline included. */
export function encodeRecord(record: LogRecord, hasher: Hasher): Uint8Array {
  const rest = Buffer.from(JSON.stringify(record).slice(1));
  const sum = formatSum(hasher.hash(rest));
  return Buffer.concat([Buffer.from(`${HEAD}${sum}",`), rest, Buffer.from('\n')]);
}

/** 64 bits as 16 hex digits. */
export function formatSum(sum: bigint): string {
  return sum.toString(16).padStart(SUM_DIGITS, '0');
}

/** The record in a line without its newline; undefined when torn or damaged. */
export function decodeRecord(line: Uint8Array, hasher: Hasher): LogRecord | undefined {
  if (line.length <= REST) return undefined;
  const text = Buffer.from(line.buffer, line.byteOffset, line.length).toString();
  if (!text.startsWith(HEAD) || text.slice(REST - 2, REST) !== '",') return undefined;
  const sum = text.slice(HEAD.length, HEAD.length + SUM_DIGITS);
  if (sum !== formatSum(hasher.hash(line.slice(REST)))) return undefined;
  return JSON.parse(text) as LogRecord;
}

/** Whether a crash may leave this line behind one that it tore, `seq` being the last commit's. */
export function mayFollowTorn(record: LogRecord, seq: number): boolean {
  return record.op === 'close' && (record.seq ?? seq) === seq;
}

/** The log of one collection, open for reading or writing. */
export class CommitLog {
  /** One past the last valid line. */
  end = 0;
  readonly #file: DiskFile;
  readonly #hasher: Hasher;

  constructor(file: DiskFile, hasher: Hasher) {
    this.#file = file;
    this.#hasher = hasher;
  }

  /** Whether this is what stands at its path: not once it was put anew there, or is gone. */
  async isInPlace(disk: Disk): Promise<boolean> {
    const file = await openIfThere(disk, this.#file.path);
    if (file === undefined) return false;
    try {
      return (await file.id()) === (await this.#file.id());
    } finally {
      await file.close();
    }
  }

  /** Valid records from byte `from` on; moves `end` behind each that is done with. */
  async *records(from: number = this.end): AsyncGenerator<LogRecord, void, void> {
    for await (const { record, end } of this.#read(from, await this.#file.size())) {
      yield record;
      this.end = Math.max(this.end, end);
    }
  }

  /**
   * The records up to `end`, from the first on: what this handle has seen. A writer in another
   * process may have gone on; what it adds is for `records` to find.
   */
  async *past(): AsyncGenerator<LogRecord, void, void> {
    for await (const { record } of this.#read(0, this.end)) yield record;
  }

  async *#read(
    from: number,
    size: number,
  ): AsyncGenerator<{ readonly record: LogRecord; readonly end: number }, void, void> {
    let at = from;
    let buffer = Buffer.allocUnsafeSlow(Math.max(1, Math.min(PIECE_BYTES, size - from)));
    while (true) {
      const got = await this.#file.read(buffer, at);
      const last = buffer.lastIndexOf(10, got - 1);
      if (got === 0 || last < 0) {
        if (got < buffer.length) return;
        buffer = Buffer.allocUnsafeSlow(buffer.length * 2);
        continue;
      }
      for (let start = 0; start <= last; ) {
        const stop = buffer.indexOf(10, start);
        const record = decodeRecord(buffer.subarray(start, stop), this.#hasher);
        if (record === undefined) return;
        start = stop + 1;
        const end = at + start;
        if (end > size) return;
        yield { record, end };
      }
      at += last + 1;
      if (at >= size) return;
    }
  }

  /** Where opening may begin to read: at the last checkpoint that tells of its commit, else at 0. */
  async tailStart(): Promise<number> {
    const size = await this.#file.size();
    for (let bytes = TAIL_BYTES; bytes <= MOST_TAIL_BYTES; bytes *= 4) {
      const from = Math.max(0, size - bytes);
      const buffer = Buffer.alloc(size - from);
      await this.#file.read(buffer, from);
      for (let stop = buffer.lastIndexOf(10); stop > 0; ) {
        const before = buffer.lastIndexOf(10, stop - 1);
        if (before < 0 && from > 0) break;
        const line = buffer.subarray(before + 1, stop);
        stop = before;
        if (line.indexOf(CHECKPOINT) !== REST) continue;
        const record = decodeRecord(line, this.#hasher);
        if (record?.op === 'checkpoint' && record.commit) return from + before + 1;
      }
      if (from === 0) break;
    }
    return 0;
  }

  /**
   * Looks at what stands behind the last valid line. Every line but `close` is written when all
   * before it is on disk, so such a line behind a bad one means that the log was damaged later, and
   * cutting there would lose commits; so does a `close` of another commit than `seq`, the last one
   * read. Errors: CORRUPTED_DATA.
   */
  async checkRest(seq: number): Promise<void> {
    const size = await this.#file.size();
    if (size <= this.end) return;
    const rest = Buffer.alloc(Math.min(size - this.end, MOST_TAIL_BYTES));
    await this.#file.read(rest, this.end);
    for (let start = 0, stop = rest.indexOf(10); stop >= 0; stop = rest.indexOf(10, start)) {
      const record = decodeRecord(rest.subarray(start, stop), this.#hasher);
      // A writer has gone on meanwhile.
      if (record && start === 0) return;
      if (record && !mayFollowTorn(record, seq)) {
        throw new EtlError('CORRUPTED_DATA', 'the commit log is damaged before its end', {
          place: { path: this.#file.path, offset: this.end },
        });
      }
      start = stop + 1;
    }
  }

  /** Appends and syncs; the records are durable once this resolves. */
  async append(...records: LogRecord[]): Promise<void> {
    const bytes = Buffer.concat(records.map((record) => encodeRecord(record, this.#hasher)));
    await this.#file.write(bytes, this.end);
    await this.#file.sync();
    this.end += bytes.length;
  }

  /** The same without leaving the current turn. */
  appendSync(record: LogRecord): void {
    const bytes = encodeRecord(record, this.#hasher);
    this.#file.writeSync(bytes, this.end);
    this.#file.syncSync();
    this.end += bytes.length;
  }

  /** Cuts what a crash left behind the last valid line. Answers how many bytes that was. */
  async cutTornTail(): Promise<number> {
    const size = await this.#file.size();
    if (size < this.end) {
      throw new EtlError('CORRUPTED_DATA', 'the commit log shrank while it was read', {
        place: { path: this.#file.path, offset: size },
      });
    }
    if (size === this.end) return 0;
    await this.#file.truncate(this.end);
    await this.#file.sync();
    return size - this.end;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** Opens the log of a collection; a reader's is undefined where there is none, a writer's is made. */
export async function openLog(
  disk: Disk,
  path: string,
  hasher: Hasher,
  writable: boolean,
): Promise<CommitLog | undefined> {
  if (!writable && (await disk.stat(path)) === undefined) return undefined;
  return new CommitLog(await disk.open(path, writable ? 'create' : 'read'), hasher);
}

/** The cursor of the last commit that has one, or of the last such of an owner. */
export async function lastCursor(
  records: AsyncIterable<LogRecord>,
  owner: string | undefined,
): Promise<unknown> {
  let last: unknown;
  const note = (name: string | null | undefined, cursor: unknown): void => {
    if (cursor !== undefined && (owner === undefined || name === owner)) last = cursor;
  };
  for await (const record of records) {
    if (record.op === 'commit') note(cursorOwner(record), record.cursor);
    else if (record.op === 'compact')
      for (const [name, cursor] of record.cursors) note(name, cursor);
  }
  return last;
}
