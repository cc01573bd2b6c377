import { type TaskFunction, ThreadWorker } from 'poolifier';
import { type Payload, work } from './work.ts';

// The function itself, not a wrapper: a promise returned by a function that is not `async` is not awaited.
export default new ThreadWorker<Payload>(work as TaskFunction<Payload>);
