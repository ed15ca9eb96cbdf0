/**
 * Projection on bytes: the kept values are copied from the line as they were written, under names as
 * `JSON.stringify` writes them, so a projected document is never longer than its source.
 */
import type { Path } from '../../core/path.ts';
import { buildSelection, type Selection } from '../selection.ts';
import { Kind, type Scanner } from './scanner.ts';
import { type FieldName, fieldName, findMember } from './text.ts';

const encoder = new TextEncoder();

/** Where projected documents go; the caller has made it large enough. */
export interface Output {
  readonly bytes: Uint8Array;
  at: number;
}

/** Writes the selected parts of the document in the scanner, without a line end. */
export type WriteProjection = (scanner: Scanner, output: Output) => void;

/** Prepares a projection; the whole document, spaces and all, if no paths are given. */
export function compileProjection(select: readonly Path[] | undefined): WriteProjection {
  if (select === undefined) return (scanner, output) => writeWhole(scanner, 0, output);
  const plan = planFields(buildSelection(select));
  return (scanner, output) => writeObject(scanner, 0, plan, output);
}

/** A field to copy: its name for finding, what is written before its value, and what to keep of it. */
interface FieldPlan {
  readonly name: FieldName;
  readonly label: Uint8Array;
  readonly inner: readonly FieldPlan[] | 'all';
}

function planFields(selection: Selection): readonly FieldPlan[] {
  return Array.from(selection, ([field, inner]) => ({
    name: fieldName(field),
    label: encoder.encode(`${JSON.stringify(field)}:`),
    inner: inner === 'all' ? inner : planFields(inner),
  }));
}

function writeWhole(scanner: Scanner, node: number, output: Output): void {
  const part = scanner.bytes.subarray(scanner.start[node]!, scanner.end[node]!);
  output.bytes.set(part, output.at);
  output.at += part.length;
}

function writeObject(
  scanner: Scanner,
  node: number,
  plan: readonly FieldPlan[],
  output: Output,
): void {
  output.bytes[output.at++] = 0x7b;
  const first = output.at;
  for (const { name, label, inner } of plan) {
    const value = findMember(scanner, node, name);
    if (value < 0 || (inner !== 'all' && !isContainer(scanner, value))) continue;
    if (output.at > first) output.bytes[output.at++] = 0x2c;
    output.bytes.set(label, output.at);
    output.at += label.length;
    if (inner === 'all') writeWhole(scanner, value, output);
    else if (scanner.kind[value] === Kind.object) writeObject(scanner, value, inner, output);
    else writeElements(scanner, value, inner, output);
  }
  output.bytes[output.at++] = 0x7d;
}

function writeElements(
  scanner: Scanner,
  array: number,
  plan: readonly FieldPlan[],
  output: Output,
): void {
  output.bytes[output.at++] = 0x5b;
  const first = output.at;
  const end = scanner.next[array]!;
  for (let element = array + 1; element < end; element = scanner.next[element]!) {
    if (scanner.kind[element] !== Kind.object) continue;
    if (output.at > first) output.bytes[output.at++] = 0x2c;
    writeObject(scanner, element, plan, output);
  }
  output.bytes[output.at++] = 0x5d;
}

function isContainer(scanner: Scanner, node: number): boolean {
  return scanner.kind[node]! >= Kind.array;
}
