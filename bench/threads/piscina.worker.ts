import { move } from 'piscina';
import { type Payload, work } from './work.ts';

export default async (payload: Payload) => {
  const result = await work(payload);
  return result instanceof ArrayBuffer ? move(result) : result;
};
