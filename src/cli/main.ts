#!/usr/bin/env node
import { EXIT, PYTHON_TYPES_USAGE, pythonTypes } from './python-types.ts';

const [command, ...args] = process.argv.slice(2);
const output = {
  out: (text: string) => void process.stdout.write(text),
  error: (text: string) => void process.stderr.write(text),
};

if (command === 'python-types') {
  process.exitCode = pythonTypes(args, output);
} else {
  output.error(PYTHON_TYPES_USAGE);
  process.exitCode = EXIT.wrongUse;
}
