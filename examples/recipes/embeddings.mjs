/**
 * Embeddings in documents. As an array of numbers every program can read them; as base64 of 32-bit
 * floats they take less than half the bytes and are read many times faster. `decodeVector` takes
 * either, so a collection may hold both.
 *
 *     node embeddings.mjs STORE
 */
import { decodeVector, encodeVector, FastStore, vectorNumbers } from 'zds-stream';

const [path] = process.argv.slice(2);

/** Stands for a model: 64 numbers made of the text's letters in any order, of length 1. */
function embed(text) {
  const vector = new Float32Array(64);
  for (const char of text.toLowerCase()) {
    for (let k = 0; k < 64; k++) vector[k] += Math.sin(char.codePointAt(0) * (k + 1));
  }
  const length = Math.hypot(...vector) || 1;
  return vector.map((value) => value / length);
}

const similarity = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);

const store = await FastStore.open(path, 'embeddings');
const metadata = { source: 'train', model: 'letters-64' };
const bytes = { numbers: 0, base64: 0 };
const samples = await FastStore.open(path, 'train', { mode: 'read' });
for await (const { _id, text } of samples.scan({ limit: 1000 })) {
  const vector = embed(text);
  store.put(`${_id}.numbers`, { vector: vectorNumbers(vector), metadata });
  store.put(`${_id}.base64`, { vector: encodeVector(vector), metadata });
  for (const form of ['numbers', 'base64']) bytes[form] += store.getRaw(`${_id}.${form}`).length;
}
await samples.close();
await store.flush();

const wanted = decodeVector(store.get('sample_00000000.base64').vector);
const same = decodeVector(store.get('sample_00000000.numbers').vector);
console.log(`both forms equal: ${wanted.every((value, i) => value === same[i])}`);
console.log(`base64 takes less: ${bytes.base64 < bytes.numbers}`);

let nearest = { _id: '', near: 0 };
for await (const { _id, vector } of store.scan()) {
  const near = similarity(wanted, decodeVector(vector));
  if (!_id.startsWith('sample_00000000.') && near > nearest.near) nearest = { _id, near };
}
console.log(`nearest to the first: ${nearest._id.split('.')[0]} (${nearest.near.toFixed(3)})`);
await store.close();
