/**
 * Follows growing files of JSON Lines through their rotation.
 *
 * A file is what its bytes are: the place reached in it knows the hash of its first bytes and of those
 * before the place. In each round the files that have grown are read on from their places, whole
 * lines only. A file whose bytes are others than before has been rotated:
 * - renamed: what is open here is read until it has been quiet for `pollMs` (a second at most), then
 *   the new file from its beginning;
 * - copied and truncated: the copy is looked for beside it, read to its end, then the file from its
 *   beginning;
 * - while nobody was reading: as for a copy; decompressed if need be.
 * One that was deleted is read until it has been quiet for as long, and let go of.
 * After each of these come the files that had the name since and have been rotated too.
 * Where the rest of the old bytes cannot be found, it is an error, or passed over as `onLost` says.
 */
import { watch } from 'node:fs';
import { dirname } from 'node:path';
import type { Batch, Document } from '../core/batch.ts';
import { checkChoice, checkLimits, checkNumber } from '../core/check-option.ts';
import { EtlError, isEtlError } from '../core/errors.ts';
import { readOnError } from '../core/reject.ts';
import { waitMs } from '../core/retry.ts';
import type { Source, Wants } from '../core/stage.ts';
import { batchBytesOf, decodeLines } from '../formats/jsonl.ts';
import { expandPaths } from '../io/glob.ts';
import { SourceStream } from '../streams/source-stream.ts';
import { type InputPlace, type InputReader, parsePlace } from './input-place.ts';
import { FollowedFile } from './tail-file.ts';
import type { OpenedRotated } from './tail-rotated.ts';
import type { TextSourceOptions } from './text-source.ts';

export interface TailSourceOptions extends TextSourceOptions {
  /** Longest time between two looks at the files. Default 1,000. */
  readonly pollMs?: number;
  /** Ends when nothing has come for so long and no new file waits. Default: never, only by `signal`. */
  readonly idleMs?: number;
  /** Where files that are new to the source begin. Default `start`. */
  readonly begin?: 'start' | 'end';
  /** When the rest of a rotated file is nowhere to be found. Default `error`: CURSOR_MISMATCH. */
  readonly onLost?: 'error' | 'skip';
  /** Files followed at once. Default 1,000. Error: INVALID_ARGUMENT. */
  readonly maxFiles?: number;
  /** Stops the reading with ABORTED. */
  readonly signal?: AbortSignal;
}

/** A file's place: where reading goes on, in lines too. */
export type TailPlace = InputPlace & { readonly line: number };

/** Where reading goes on, of every file. */
interface TailCursor {
  readonly files: readonly TailPlace[];
  readonly ordinal: number;
}

/**
 * Documents from files that grow, as they come: plain JSON Lines, a path or pattern, or several.
 * Files that match later join in; a pattern must not match the names that files are rotated to. A last line without its end is waited for; of a file that has been
 * rotated away it is taken as it is.
 *
 * Errors: those of `jsonlSource` for lines; IO_ERROR; CURSOR_MISMATCH when bytes are lost;
 * INVALID_ARGUMENT; ABORTED by the signal.
 */
export function tailSource<T extends object = Document>(
  paths: string | readonly string[],
  options: TailSourceOptions = {},
): SourceStream<T> {
  const { signal, ...rest } = options;
  return new SourceStream<T>(createTailSource(paths, rest), signal ? { signal } : {});
}

/** The same without the stream around it. */
export function createTailSource(
  paths: string | readonly string[],
  options: Omit<TailSourceOptions, 'signal'> = {},
): Source {
  const { begin = 'start', onLost = 'error', pollMs = 1, idleMs = 0, maxFiles = 1 } = options;
  checkLimits({ pollMs, maxFiles });
  checkNumber('idleMs', idleMs, 0);
  checkChoice('begin', begin, ['start', 'end']);
  checkChoice('onLost', onLost, ['error', 'skip']);
  const list = typeof paths === 'string' ? [paths] : paths;
  return {
    name: 'tailSource',
    follows: true,
    batches: (signal, wants, from) =>
      new Tail(list, options, signal, wants, parseCursor(from)).batches(),
  };
}

class Tail {
  readonly #paths: readonly string[];
  readonly #options: Omit<TailSourceOptions, 'signal'>;
  readonly #signal: AbortSignal;
  readonly #wants: Wants;
  readonly #files = new Map<string, FollowedFile>();
  /** Places from the cursor, of files not met yet. */
  readonly #places: Map<string, TailPlace>;
  readonly #resumed: boolean;
  #ordinal: number;
  #rounds = 0;

  constructor(
    paths: readonly string[],
    options: Omit<TailSourceOptions, 'signal'>,
    signal: AbortSignal,
    wants: Wants,
    cursor: TailCursor | undefined,
  ) {
    this.#paths = paths;
    this.#options = options;
    this.#signal = signal;
    this.#wants = wants;
    this.#resumed = cursor !== undefined;
    this.#places = new Map(cursor?.files.map((place) => [place.source, place]));
    this.#ordinal = cursor?.ordinal ?? 0;
  }

  async *batches(): AsyncGenerator<Batch, void, void> {
    const { pollMs = 1000, idleMs } = this.#options;
    const hint = new ChangeHint();
    let last = performance.now();
    try {
      for (;;) {
        const begun = performance.now();
        for (const path of await this.#list()) {
          const file = this.#files.get(path) ?? this.#meet(path);
          hint.watch(dirname(path));
          for await (const batch of this.#readOn(file)) {
            yield batch;
            // The time that the receiver took is not one in which nothing came.
            last = performance.now();
            this.#signal.throwIfAborted();
          }
          if (!file.isKnown) this.#files.delete(path);
        }
        this.#rounds++;
        const goesOn = idleMs === undefined || [...this.#files.values()].some((f) => f.isLeaving);
        // The last look is one that began when the time was over: a process may have had no turn before.
        if (!goesOn && begun >= last + idleMs) return;
        const left = goesOn ? pollMs : last + idleMs - performance.now();
        await hint.wait(Math.max(0, Math.min(pollMs, left)), this.#signal);
      }
    } finally {
      hint.close();
      for (const file of this.#files.values()) await file.close();
    }
  }

  /** The files there are, and those that have been followed so far. Errors: INVALID_ARGUMENT. */
  async #list(): Promise<Iterable<string>> {
    const { maxFiles = 1000 } = this.#options;
    const found = new Set([...this.#places.keys(), ...this.#files.keys()]);
    for (const path of this.#paths) {
      try {
        for (const file of await expandPaths([path], this.#wants.rejects)) found.add(file);
      } catch (error) {
        // What is not there yet may come.
        if (!isEtlError(error, 'IO_ERROR')) throw error;
      }
    }
    if (found.size > maxFiles) {
      throw new EtlError('INVALID_ARGUMENT', `more than ${maxFiles} files to follow`);
    }
    return found;
  }

  #meet(path: string): FollowedFile {
    const place = this.#places.get(path);
    this.#places.delete(path);
    const { pollMs = 1000 } = this.#options;
    const chunkBytes = batchBytesOf(this.#options);
    const isOld = this.#rounds === 0 && !this.#resumed;
    const fromEnd = this.#options.begin === 'end' && isOld;
    const graceMs = Math.min(pollMs, 1000);
    const file = new FollowedFile(path, place, { fromEnd, graceMs, chunkBytes });
    this.#files.set(path, file);
    return file;
  }

  /** All that a file has now, through a rotation if there was one. */
  async *#readOn(file: FollowedFile): AsyncGenerator<Batch, void, void> {
    for (;;) {
      const state = await file.look();
      if (state === 'replaced' || state === 'deleted') {
        if (!(yield* this.#readItself(file, file.openRest()))) continue;
        // Of files that a pattern names there is no end; a name that was given may be waited for.
        const comesBack = state === 'replaced' || this.#paths.includes(file.path);
        await (comesBack ? file.forget() : file.drop());
        continue;
      }
      const other = state === 'other' ? await this.#findRest(file) : undefined;
      const rotated = other ?? (await file.findBetween(this.#signal));
      if (rotated) yield* this.#decode(file, rotated.reader);
      if (rotated || state === 'other') {
        await file.forget(rotated);
        continue;
      }
      if (state === 'same' || (yield* this.#readItself(file, file.openGrown()))) return;
    }
  }

  /** False when it has been truncated since it was looked at; all before `file.place` has been given. */
  async *#readItself(
    file: FollowedFile,
    opening: Promise<InputReader | undefined>,
  ): AsyncGenerator<Batch, boolean, void> {
    try {
      const reader = await opening;
      if (reader) yield* this.#decode(file, reader);
      return true;
    } catch (error) {
      if (isEtlError(error, 'CURSOR_MISMATCH')) return false;
      throw error;
    }
  }

  async *#decode(file: FollowedFile, reader: InputReader): AsyncGenerator<Batch, void, void> {
    const { place } = file;
    const onError = readOnError(this.#options.onError ?? this.#wants.onReject);
    const decoding = {
      ...this.#options,
      ...this.#wants,
      onError,
      source: file.path,
      ordinal: this.#ordinal,
      ...(place ? { from: place } : {}),
      cursorAt: ({ offset, line }: { offset: number; line: number }, ordinal: number) => {
        file.place = { ...reader.placeAt(offset), source: file.path, line };
        return { files: this.#allPlaces(), ordinal } satisfies TailCursor;
      },
    };
    for await (const batch of decodeLines(reader, decoding)) {
      this.#ordinal += batch.length;
      yield batch;
    }
  }

  #allPlaces(): TailPlace[] {
    const known = [...this.#files.values()].flatMap(({ lastPlace }) => lastPlace ?? []);
    return [...known, ...this.#places.values()];
  }

  /** Errors: CURSOR_MISMATCH where it is nowhere, unless that is to be passed over. */
  async #findRest(file: FollowedFile): Promise<OpenedRotated | undefined> {
    const found = await file.findRest(this.#signal);
    if (found || this.#options.onLost === 'skip') return found;
    const what = 'has been replaced, and the rest of what it was is nowhere beside it';
    const { source: path, offset } = file.place!;
    throw new EtlError('CURSOR_MISMATCH', what, { place: { path, offset } });
  }
}

/** Wakes a waiting reader when something happens in a folder; misses are made up for by polling. */
class ChangeHint {
  readonly #watchers = new Map<string, { close(): void }>();
  #wake: () => void = () => {};

  watch(folder: string): void {
    if (this.#watchers.has(folder)) return;
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#wake());
      watcher.on('error', () => watcher.close());
      this.#watchers.set(folder, watcher);
    } catch {
      // Not every file system can be watched.
      this.#watchers.set(folder, { close: () => {} });
    }
  }

  async wait(ms: number, signal: AbortSignal): Promise<void> {
    const ended = new AbortController();
    const changed = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    const stop = (): void => ended.abort();
    signal.addEventListener('abort', stop, { once: true });
    await Promise.race([changed, waitMs(ms, ended.signal).catch(() => {})]);
    ended.abort();
    signal.removeEventListener('abort', stop);
    signal.throwIfAborted();
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
  }
}

/** Errors: CURSOR_MISMATCH. */
function parseCursor(from: unknown): TailCursor | undefined {
  if (from === undefined || from === null) return undefined;
  const { files, ordinal } = from as Partial<TailCursor>;
  if (!Array.isArray(files) || !Number.isSafeInteger(ordinal)) {
    throw new EtlError('CURSOR_MISMATCH', 'the cursor is not one of this source');
  }
  return { files: files.map((file) => parsePlace<TailPlace>(file, ['line'])!), ordinal: ordinal! };
}
