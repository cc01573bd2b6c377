import { deployment, pythonDeployment } from 'inserve';

export interface Measure {
  bytes_of(text: string | null): number;
}

/** A native library behind `ctypes`, each replica of which is a process of Python. */
export const measure = pythonDeployment<Measure, []>('./measure.py:Measure', { name: 'Measure' }).bind();

/** Stands for an addon whose assertion fails: what it calls ends the whole process, which a thread could not survive. */
export class Addon {
  half(number: number): number {
    if (number % 2 !== 0) process.abort();
    return number / 2;
  }
}

export const addon = deployment(Addon, { name: 'Addon', isolation: 'process' }).bind();
