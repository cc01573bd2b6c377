import { mounting, routing } from '../http-conformance.ts';
import { mountExpress } from './mount.ts';

routing(mountExpress);
mounting(mountExpress);
