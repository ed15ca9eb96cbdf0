/**
 * Proof that two contestants did the same work: an order-free checksum over what they produced,
 * taken after the timed runs.
 */

/** Collects a count and the sum (modulo 2^48) of the 32-bit FNV-1a hashes of what is added. */
export class Digest {
  #count = 0;
  #sum = 0;

  /** Adds a document: its whole JSON text counts, key order included. */
  add(document) {
    this.addText(JSON.stringify(document));
  }

  /** Adds a tuple of fields, numbers as JavaScript prints them. */
  addFields(...fields) {
    this.addText(fields.join('\u0000'));
  }

  addText(text) {
    let hash = 0x811c9dc5;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    this.#sum = (this.#sum + (hash >>> 0)) % 2 ** 48;
    this.#count++;
  }

  toString() {
    return `${this.#count}:${this.#sum.toString(16).padStart(12, '0')}`;
  }
}

/**
 * What a timed scan does with every document: touch fields of each kind, so that nobody wins by
 * handing out objects that are not made yet.
 */
export class Tally {
  count = 0;
  sum = 0;

  add(document) {
    this.count++;
    this.sum +=
      document.age +
      document.score +
      document.name.length +
      document.tags.length +
      document.metadata.source.length;
  }

  toString() {
    return `${this.count}:${this.sum.toFixed(0)}`;
  }
}

/** What a timed reading of CSV does with every row: every field is touched. */
export class RowTally {
  count = 0;
  sum = 0;

  add(row) {
    this.count++;
    this.sum +=
      row._id.length +
      row.name.length +
      row.email.length +
      row.age +
      row.score +
      (row.active ? 1 : 0) +
      row.created.length +
      row.source.length;
  }

  toString() {
    return `${this.count}:${this.sum.toFixed(0)}`;
  }
}

/** What a timed selection of `_id` and `email` does with every document. */
export class PairTally {
  count = 0;
  sum = 0;

  add(document) {
    this.count++;
    this.sum += document._id.length + document.email.length;
  }

  toString() {
    return `${this.count}:${this.sum}`;
  }
}
