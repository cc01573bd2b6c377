import express from 'express';
import { Piscina } from 'piscina';

const pool = new Piscina({ filename: new URL('./task.mjs', import.meta.url).href, maxThreads: 1 });
const app = express();
app.get('/json', async (_req, res) => res.json(await pool.run()));
const server = app.listen(0, '127.0.0.1', () => process.send(server.address().port));
