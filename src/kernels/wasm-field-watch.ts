/**
 * Tells whether the documents that columns were filled from may have had fields that no column
 * covers. The module keeps a node for every path it meets; here each new node is looked up in the
 * columns. Nodes may come from other queries in between, so "may" it is: never a miss, at times a
 * false alarm.
 */
import { Layout, type LineMachine } from './line-machine.ts';
import type { Column, ColumnType, Query } from './types.ts';
import { decodeWtf8 } from './wasm-bytes.ts';

/** The module's own two: values of paths it has no room for, and the document itself. */
const FIRST_NODE = 2;
const ROOT_NODE = 1;
/** Word offsets in a node: see wasm/graph.ts. */
const Node = { parent: 0, key: 1, keyLength: 2, element: 13 } as const;

/** What stands at a node: a column or a part of one, or what is of no interest. */
type Cover = ColumnType | 'any' | undefined;

export class FieldWatch {
  /** Stays true once it is. */
  unlisted = false;
  readonly #machine: LineMachine;
  readonly #columns: readonly Column[];
  readonly #select: Query['select'];
  #covers: Cover[] = [];
  #checked = FIRST_NODE;
  #generation = -1;

  constructor(machine: LineMachine, columns: readonly Column[], select: Query['select']) {
    this.#machine = machine;
    this.#columns = columns;
    this.#select = select;
  }

  /** Before a chunk. What other queries met before the first would hide that these documents have it. */
  begin(): void {
    if (this.#generation >= 0) return;
    this.look();
    if (this.unlisted) this.#machine.forget();
    this.unlisted = false;
  }

  /** After a chunk. */
  look(): void {
    if (this.unlisted) return;
    const { exports, generation } = this.#machine;
    if (this.#generation !== generation) {
      this.#generation = generation;
      this.#covers = [];
      this.#checked = FIRST_NODE;
    }
    const total = exports.graphNodes();
    for (let node = this.#checked; node < total && !this.unlisted; node++) {
      this.#covers[node] = this.#coverOf(node);
      this.unlisted = this.#covers[node] === undefined;
    }
    this.#checked = total;
    if (exports.graphIsFull()) this.unlisted = true;
  }

  #coverOf(node: number): Cover {
    const { u32, u8 } = this.#machine;
    const at = (Layout.nodes + node * Layout.nodeSize) >> 2;
    const parent = (u32[at + Node.parent]! - Layout.nodes) / Layout.nodeSize;
    const isElement = u32[(u32[at + Node.parent]! >> 2) + Node.element]! === at * 4;
    const name = (): string => {
      const key = u32[at + Node.key]!;
      return decodeWtf8(u8.subarray(key, key + u32[at + Node.keyLength]!));
    };
    if (parent === ROOT_NODE) {
      const top = name();
      if (this.#select?.every(([first]) => first !== top)) return 'any';
      return this.#columns.find((column) => column.name === top)?.type;
    }
    const cover = this.#covers[parent];
    if (cover === undefined || cover === 'any') return cover;
    if (cover.kind === 'json') return 'any';
    if (isElement) return cover.kind === 'list' ? cover.element : undefined;
    if (cover.kind !== 'struct') return undefined;
    const field = name();
    return cover.fields.find((each) => each.name === field)?.type;
  }
}
