/**
 * Ids that sort by the time they were made, and within one millisecond by the order they were made
 * in: UUIDv7 (RFC 9562, with the monotonic counter of its section 6.2) and ULID.
 */
import { checkChoice } from './check-option.ts';

export type GeneratedIds = 'uuidv7' | 'ulid';

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const HEX: readonly string[] = Array.from({ length: 256 }, (_, i) =>
  i.toString(16).padStart(2, '0'),
);

/** A maker of ids; `now` in milliseconds is for tests. */
export function createIdGenerator(kind: GeneratedIds, now: () => number = Date.now): () => string {
  checkChoice('generateIds', kind, ['uuidv7', 'ulid']);
  const format = kind === 'ulid' ? formatUlid : formatUuid;
  const random = new Uint8Array(10);
  let time = -1;
  return () => {
    const clock = now();
    if (clock > time) {
      time = clock;
      crypto.getRandomValues(random);
      // Room to count upwards for the rest of the millisecond.
      random[0]! &= 0x7f;
    } else if (!increment(random, kind)) {
      time++;
      crypto.getRandomValues(random);
      random[0]! &= 0x7f;
    }
    return format(time, random);
  };
}

/** Adds one to the random part as a big-endian number; false when it overflows. */
function increment(random: Uint8Array, kind: GeneratedIds): boolean {
  // A UUIDv7 shows 74 of the 80 bits: 12 of the first two bytes, 62 of the other eight.
  const masks = kind === 'ulid' ? [0xff, 0xff, 0xff] : [0x0f, 0xff, 0x3f];
  for (let i = random.length - 1; i >= 0; i--) {
    const mask = i === 2 ? masks[2]! : i === 0 ? masks[0]! : 0xff;
    random[i] = (random[i]! & mask) + 1;
    if (random[i]! <= mask && random[i] !== 0) return true;
    random[i] = 0;
  }
  return false;
}

function formatUuid(time: number, random: Uint8Array): string {
  const high = Math.floor(time / 0x1_0000_0000);
  const low = time >>> 0;
  const hex = (byte: number): string => HEX[byte & 0xff]!;
  return (
    `${hex(high >>> 8)}${hex(high)}${hex(low >>> 24)}${hex(low >>> 16)}-` +
    `${hex(low >>> 8)}${hex(low)}-` +
    `${hex(0x70 | (random[0]! & 0x0f))}${hex(random[1]!)}-` +
    `${hex(0x80 | (random[2]! & 0x3f))}${hex(random[3]!)}-` +
    `${hex(random[4]!)}${hex(random[5]!)}${hex(random[6]!)}${hex(random[7]!)}${hex(random[8]!)}${hex(random[9]!)}`
  );
}

function formatUlid(time: number, random: Uint8Array): string {
  let text = '';
  for (let i = 0, rest = time; i < 10; i++, rest = Math.floor(rest / 32)) {
    text = CROCKFORD[rest % 32]! + text;
  }
  for (let bit = 0; bit < 80; bit += 5) {
    const byte = bit >> 3;
    const pair = (random[byte]! << 8) | (random[byte + 1] ?? 0);
    text += CROCKFORD[(pair >> (11 - (bit & 7))) & 31];
  }
  return text;
}
