// Peer of benchmarks.images: the rendition set of a picture, made by sharp.
//
// Takes a job as JSON on each line of stdin and answers each with a line:
//   {source, out_dir, sets, lanes, way, concurrency, sizes, thumbnail_side, blur_width,
//    jpeg, webp}  ->  {seconds, memory_peak_bytes}
// `lanes` sets are in flight at a time, each into a folder of its own.

import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";

import sharp from "sharp";

// The same file comes again and again; uploads don't.
sharp.cache(false);

const BLUR_SIGMA = 8;

function writer(job, folder) {
  return (picture, name) => [
    picture.clone().webp(job.webp).toFile(path.join(folder, `${name}.webp`)),
    picture.clone().jpeg(job.jpeg).toFile(path.join(folder, `${name}.jpg`)),
  ];
}

const scaled = (picture, [width, height]) => picture.resize(width, height, { fit: "fill" });

const square = (picture, job) =>
  picture.resize(job.thumbnail_side, job.thumbnail_side, { position: "attention" });

const WAYS = {
  // As sharp's documentation shows it: a pipeline for each file, with its own decode.
  async pipelines(job, folder) {
    const write = writer(job, folder);
    const opened = () => sharp(job.source).autoOrient();
    await Promise.all([
      ...job.sizes.flatMap((size) => write(scaled(opened(), size), `w${size[0]}`)),
      ...write(square(opened(), job), "thumb"),
      ...write(opened().resize(job.blur_width).blur(BLUR_SIGMA), "blur"),
    ]);
  },

  // As we do it: one decode, each width made from the next larger one.
  async cascade(job, folder) {
    const write = writer(job, folder);
    const writing = [];
    let level = sharp(job.source).autoOrient();
    let squareSource;
    for (const size of job.sizes) {
      const { data, info } = await scaled(level, size)
        .raw()
        .toBuffer({ resolveWithObject: true });
      const pixels = () =>
        sharp(data, { raw: { width: info.width, height: info.height, channels: info.channels } });
      writing.push(...write(pixels(), `w${size[0]}`));
      if (Math.min(info.width, info.height) >= job.thumbnail_side) squareSource = pixels;
      level = pixels();
    }
    writing.push(...write(square((squareSource ?? (() => level.clone()))(), job), "thumb"));
    writing.push(...write(level.resize(job.blur_width).blur(BLUR_SIGMA), "blur"));
    await Promise.all(writing);
  },
};

async function run(job) {
  sharp.concurrency(job.concurrency);
  let begun = 0;
  const lane = async (number) => {
    const folder = path.join(job.out_dir, String(number));
    fs.mkdirSync(folder, { recursive: true });
    while (begun < job.sets) {
      begun += 1;
      await WAYS[job.way](job, folder);
    }
  };
  const started = process.hrtime.bigint();
  await Promise.all(Array.from({ length: job.lanes }, (_, number) => lane(number)));
  return Number(process.hrtime.bigint() - started) / 1e9;
}

function memoryPeakBytes() {
  // Not process.resourceUsage(): its maximum still counts the process that started node.
  const status = fs.readFileSync("/proc/self/status", "utf8");
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)[1]) * 1024;
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const seconds = await run(JSON.parse(line));
  console.log(JSON.stringify({ seconds, memory_peak_bytes: memoryPeakBytes() }));
}
