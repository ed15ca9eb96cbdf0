/**
 * Runs in front of every test file. Files share their modules, so a hook at the top of a module of
 * test/support would be one of the first file alone.
 */
import { afterEach } from 'vitest';
import { putAway } from './after-test.ts';

afterEach(putAway);
