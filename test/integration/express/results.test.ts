import { results } from '../http-conformance.ts';
import { mountExpress } from './mount.ts';

results(mountExpress);
