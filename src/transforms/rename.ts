/** Gives fields other names, on bytes: values and all else stay as they were written. */
import { EtlError } from '../core/errors.ts';
import { type Path, parsePath } from '../core/path.ts';
import type { Transform } from '../core/stage.ts';
import { editLines, type LineEdits } from './line-editor.ts';
import { PathTree, visitMembers } from './members.ts';
import { Refusal } from './reject-document.ts';

/** What a final name in one kind of object means: whose name it is, and how it is written. */
interface Naming {
  /** Set where the member gets this name instead of its own. */
  readonly by?: Uint8Array;
  readonly name: string;
  /** The final name's number: two members with the same in one object collide. */
  readonly slot: number;
}

/**
 * `fields` gives the new name of the field at each path; the field stays in its object and in its
 * place. A path that leads through arrays applies to every object in them. What is missing is left
 * alone; names may be swapped.
 *
 * Errors: INVALID_ARGUMENT for a name given twice. Rejects: INVALID_DOCUMENT where a document has a
 * field of the new name already.
 */
export function renameTransform(fields: { readonly [path: string]: string }): Transform {
  const tree = compile(fields);
  /** Per slot, the object in which its name was seen last. */
  const seenIn: number[] = [];
  let edits: LineEdits;
  const visit = ({ by, name, slot }: Naming, member: Place, objectStart: number): void => {
    if (seenIn[slot] === objectStart) throw new Refusal(`rename: two fields would be ${name}`);
    seenIn[slot] = objectStart;
    if (by) edits.replace(member.keyStart, member.keyEnd, by);
  };
  return {
    name: 'rename',
    apply(batch, _signal, onReject) {
      seenIn.length = 0;
      return editLines(batch, onReject, (bytes, start, _end, target) => {
        edits = target;
        visitMembers(bytes, start, tree, visit);
      });
    },
  };
}

interface Place {
  readonly keyStart: number;
  readonly keyEnd: number;
}

function compile(fields: { readonly [path: string]: string }): PathTree<Naming> {
  const tree = new PathTree<Naming>();
  const slots = new Map<string, number>();
  const slotOf = (object: Path, name: string): number => {
    const key = JSON.stringify([...object, name]);
    const slot = slots.get(key) ?? slots.size;
    slots.set(key, slot);
    return slot;
  };
  const renamed = Object.entries(fields).map(([text, name]) => ({ path: parsePath(text), name }));
  for (const { path, name } of renamed) {
    const object = path.slice(0, -1);
    const count = slots.size;
    const slot = slotOf(object, name);
    if (slot < count) throw new EtlError('INVALID_ARGUMENT', `two fields would be ${name}`);
    tree.set(path, { by: new TextEncoder().encode(JSON.stringify(name)), name, slot });
  }
  for (const { path, name } of renamed) {
    const object = path.slice(0, -1);
    const own = tree.at([...object, name]);
    own.action ??= { name, slot: slotOf(object, name) };
  }
  return tree;
}
