import { methods } from '../http-conformance.ts';
import { mountExpress } from './mount.ts';

methods(mountExpress);
