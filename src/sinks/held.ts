/** What a target has taken and not yet written, in order: whose memory is still looked at. */
import type { WriteTarget } from '../io/file-writer.ts';

export class Held<T> {
  readonly #items: { readonly item: T; readonly end: number }[] = [];

  /** Written to `target`, where it ends at byte `end`; forgotten at once by one that never says it is done. */
  add(item: T, end: number, target: WriteTarget): void {
    if (target.released !== undefined) this.#items.push({ item, end });
  }

  /** Takes out what `target` does not look at any more. */
  *released(target: WriteTarget): Generator<T, void, void> {
    const { released = 0 } = target;
    while (this.#items[0] && this.#items[0].end <= released) yield this.#items.shift()!.item;
  }
}
