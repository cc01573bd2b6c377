import { serve } from 'inserve';

process.once('sveltekit:shutdown', () => serve.close());
