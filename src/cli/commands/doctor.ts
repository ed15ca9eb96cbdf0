/** `zds doctor`: which of the ways that depend on platform and installation are in use here. */
import * as zlib from 'node:zlib';
import { nativeSupport } from '../../io/index.ts';
import { createKernel } from '../../kernels/index.ts';
import type { Command } from '../command.ts';

export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'Tell what this machine and installation can do.',
  usage: '[--json]',
  positionals: [0, 0],
  options: { json: { help: 'as one JSON object' } },
  async run(args, { stdout }) {
    const native = nativeSupport();
    const facts = {
      node: process.version,
      platform: `${process.platform} ${process.arch}`,
      kernels: createKernel().name === 'wasm' ? 'WebAssembly SIMD' : 'TypeScript (slower)',
      reads: native ? 'memory maps' : 'positioned reads (koffi is not installed or not usable)',
      locks: native ? 'flock' : 'lock files (weaker: this machine only)',
      crc32: 'crc32' in zlib ? 'native' : 'TypeScript (slower)',
      zstd: 'createZstdCompress' in zlib ? 'reading and writing' : 'reading only',
    };
    const lines = Object.entries(facts).map(([name, value]) => `${name.padEnd(9)} ${value}\n`);
    await stdout.write(args.flag('json') ? `${JSON.stringify(facts)}\n` : lines.join(''));
    return 0;
  },
};
