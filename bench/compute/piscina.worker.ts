import { timed } from './computing.ts';
import { type Kind, work } from './mix.ts';

/** Steps to compute, or a route's work. */
export default (task: number | Kind): unknown => (typeof task === 'number' ? timed(task) : work(task));
