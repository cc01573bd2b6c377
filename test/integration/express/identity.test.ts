import { identity } from '../http-conformance.ts';
import { mountExpress } from './mount.ts';

identity(mountExpress);
