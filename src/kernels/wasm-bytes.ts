/** Small byte helpers of the WebAssembly loader; browser-safe. */

interface NodeBuffer {
  latin1Slice(from: number, to: number): string;
  utf8Slice(from: number, to: number): string;
}

/** Node's own, where there is one: several times as fast, and needs no warming up. */
const { Buffer } = globalThis as unknown as {
  readonly Buffer?: {
    from(bytes: ArrayBufferLike): NodeBuffer;
    from(text: string, encoding: 'base64'): Uint8Array;
  };
};
const encoder = new TextEncoder();

/** Decodes standard base64. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  if (Buffer) return new Uint8Array(Buffer.from(text, 'base64'));
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** UTF-8, but a lone surrogate keeps its own three bytes, so that different texts stay different. */
export function encodeWtf8(text: string): Uint8Array {
  if (!/[\ud800-\udfff]/.test(text)) return encoder.encode(text);
  const bytes: number[] = [];
  for (const char of text) {
    const code = char.codePointAt(0)!;
    if (code >= 0xd800 && code < 0xe000) {
      bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    } else bytes.push(...encoder.encode(char));
  }
  return Uint8Array.from(bytes);
}

/** Decodes what `encodeWtf8` made. */
export function decodeWtf8(bytes: Uint8Array): string {
  let text = '';
  let from = 0;
  for (let i = 0; i + 2 < bytes.length; i++) {
    if (bytes[i] !== 0xed || bytes[i + 1]! < 0xa0) continue;
    text += decoder.decode(bytes.subarray(from, i));
    text += String.fromCharCode(0xd000 | ((bytes[i + 1]! & 63) << 6) | (bytes[i + 2]! & 63));
    i += 2;
    from = i + 1;
  }
  return text + decoder.decode(bytes.subarray(from));
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Texts at places of a memory. */
export interface TextReader {
  /** One character per byte; what it is says something only for bytes below 0x80. */
  latin1(from: number, to: number): string;
  utf8(from: number, to: number): string;
}

/** The fastest reader of texts in the memory of which `bytes` is all. */
export function readTexts(bytes: Uint8Array): TextReader {
  if (Buffer) {
    const buffer = Buffer.from(bytes.buffer);
    return {
      latin1: (from, to) => buffer.latin1Slice(from, to),
      utf8: (from, to) => buffer.utf8Slice(from, to),
    };
  }
  const latin1 = new TextDecoder('latin1');
  return {
    latin1: (from, to) => latin1.decode(bytes.subarray(from, to)),
    utf8: (from, to) => decoder.decode(bytes.subarray(from, to)),
  };
}
