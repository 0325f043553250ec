// What an app in a browser does with files: uploads in parts that go on after a break, progress,
// playback. No dependencies; hls.js is given by the page.

const PARALLEL = 3; // Parts under way at once.
const TRIES = 3; // Of each part, before the upload is called interrupted.
const AGAIN_MS = 1000; // Before a stream is opened again.
const FRESH_MS = 5000; // Playback addresses that were given since then have not run out.

/** An answer that is a problem (RFC 9457), thrown. */
export class Problem extends Error {
  constructor(answer, problem) {
    super(`${answer.status} ${problem.code}: ${problem.detail}`);
    this.status = answer.status;
    this.code = problem.code;
    this.offers = problem.offers ?? [];
    this.retryAfterMs = 1000 * Number(answer.headers.get("retry-after") ?? 0);
  }

  /** Whether the same request may succeed later. */
  get passes() {
    return this.status === 429 || this.status >= 500;
  }
}

const passed = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/**
 * A caller of the API: `call("POST", "/uploads", {…})` gives the answer's JSON.
 *
 * @param token an access token; or a function that gives one at each request, and renews it.
 */
export function connect({ baseUrl, token }) {
  const ask = async (method, path, body, more = {}) => {
    const current = typeof token === "function" ? await token() : token;
    const answer = await fetch(`${baseUrl}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${current}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...more,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (!answer.ok) throw new Problem(answer, await answer.json());
    return answer;
  };
  return { ask, call: async (...given) => (await ask(...given)).json() };
}

// --- uploads ----------------------------------------------------------------------------------

/**
 * Sends a file to storage and has it processed. One that was interrupted, even by closing the
 * page, goes on with the parts that are missing when the same file is given again.
 *
 * @param onProgress called with the bytes that have arrived, and all.
 * @returns the media's id.
 */
export async function upload(api, file, { onProgress = () => {} } = {}) {
  const remembered = `fansworld-upload:${file.name}:${file.size}:${file.lastModified}`;
  const known = localStorage.getItem(remembered);
  const begun = (known && (await goOn(api, known))) || (await begin(api, file));
  localStorage.setItem(remembered, begun.id);
  await send(api, file, begun, onProgress);
  const done = await api.call("POST", `/uploads/${begun.id}/complete`);
  localStorage.removeItem(remembered);
  return done.media_id;
}

async function begin(api, file) {
  const wish = { file_name: file.name, content_type: file.type, size_bytes: file.size };
  // With a key, a request whose answer was lost can be sent again without a second upload.
  const key = { "idempotency-key": crypto.randomUUID() };
  return await api.call("POST", "/uploads", wish, key);
}

/** An upload that was begun before; null where it takes no more bytes. */
async function goOn(api, id) {
  try {
    const found = await api.call("GET", `/uploads/${id}`);
    return found.state === "open" ? found : null;
  } catch (problem) {
    if (problem.status === 404) return null;
    throw problem;
  }
}

async function send(api, file, begun, onProgress) {
  const arrived = new Map(); // Part → its bytes that have arrived.
  const tell = (number, bytes) => {
    arrived.set(number, bytes);
    onProgress([...arrived.values()].reduce((sum, each) => sum + each, 0), file.size);
  };
  if (begun.method === "put") {
    await put(begun.put, file, (bytes) => tell(1, bytes));
    return;
  }
  const { arrived: parts, missing } = await api.call("GET", `/uploads/${begun.id}/parts`);
  for (const part of parts) {
    if (!missing.includes(part.number)) tell(part.number, part.size_bytes);
  }
  const waiting = [...missing];
  const sendWaiting = async () => {
    for (let number = waiting.shift(); number !== undefined; number = waiting.shift()) {
      await sendPart(api, file, begun, number, (bytes) => tell(number, bytes));
    }
  };
  const workers = Array.from({ length: PARALLEL }, sendWaiting);
  // All come to their end before a fault is told, so that nothing is sent behind the page's back.
  const ends = await Promise.allSettled(workers);
  const failed = ends.find((end) => end.status === "rejected");
  if (failed) throw failed.reason;
}

/** Sends one part, under a fresh address for each try: an old one may have run out. */
async function sendPart(api, file, begun, number, tell) {
  for (let tries = 1; ; ) {
    try {
      const signed = await api.call("POST", `/uploads/${begun.id}/parts`, { numbers: [number] });
      const [part] = signed.parts;
      const start = (number - 1) * begun.part_bytes;
      return await put(part, file.slice(start, start + part.size_bytes), tell);
    } catch (fault) {
      tell(0);
      const isOften = fault.status === 429; // Not the part's fault: wait, and count no try.
      if ((fault instanceof Problem && !fault.passes) || (!isOften && tries === TRIES)) throw fault;
      await passed(Math.max(fault.retryAfterMs ?? 0, 250 * 2 ** tries));
      tries += isOften ? 0 : 1;
    }
  }
}

/** PUT by XMLHttpRequest: fetch does not tell how much has been sent. */
function put({ url, headers }, blob, tell) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    for (const [name, value] of Object.entries(headers)) {
      // The browser says the length itself, and lets nobody else say it.
      if (name.toLowerCase() !== "content-length") request.setRequestHeader(name, value);
    }
    request.upload.onprogress = (event) => tell(event.loaded);
    request.onerror = () => reject(new Error("the connection broke"));
    request.onload = () => {
      if (request.status !== 200) return reject(new Error(`storage answers ${request.status}`));
      tell(blob.size);
      return resolve();
    };
    request.send(blob);
  });
}

// --- progress ---------------------------------------------------------------------------------

/**
 * Follows the processing of a media to its end. Server-sent events are read by fetch, since an
 * `EventSource` sends no `Authorization`. A stream that breaks off, or could not be opened, is
 * opened again.
 *
 * @param onEvent called with `{state, step, percent, note}` each time.
 * @returns the last of them.
 */
export async function follow(api, mediaId, { onEvent = () => {} } = {}) {
  for (;;) {
    for await (const { name, data } of eventsOf(api, mediaId)) {
      onEvent(data);
      if (name === "done") return data;
    }
    await passed(AGAIN_MS);
  }
}

/** Events until the stream ends or breaks off; none where it could not be opened. */
async function* eventsOf(api, mediaId) {
  let reader = null;
  let text = "";
  for (;;) {
    let read;
    try {
      reader ??= (await api.ask("GET", `/media/${mediaId}/events`)).body
        .pipeThrough(new TextDecoderStream())
        .getReader();
      read = await reader.read();
    } catch (fault) {
      if (fault instanceof Problem && !fault.passes) throw fault;
      return;
    }
    if (read.done) return;
    text += read.value.replaceAll("\r\n", "\n");
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const fields = new Map(block.split("\n").map((line) => line.split(/: ?(.*)/s, 2)));
      if (fields.has("data")) {
        yield { name: fields.get("event"), data: JSON.parse(fields.get("data")) };
      }
    }
  }
}

// --- playback ---------------------------------------------------------------------------------

/**
 * Plays a media in a `<video>`: by hls.js where it can, else by the browser itself (Safari).
 * A 402 is a `Problem` whose `offers` say what would open it.
 *
 * @param Hls hls.js's class.
 * @param onEnd called with a `Problem` when the right to watch has ended meanwhile.
 */
export async function play(api, mediaId, video, { Hls, onEnd = () => {} }) {
  const address = async () => (await api.call("POST", `/media/${mediaId}/playback`)).hls_url;
  // After a pause of hours the addresses have run out: ask again, and go on at the same place.
  let asked = -Infinity;
  const again = async (start) => {
    const isFresh = performance.now() - asked < FRESH_MS;
    if (isFresh) return onEnd(new Error("fresh addresses are refused"));
    asked = performance.now();
    try {
      const url = await address();
      const { currentTime, paused } = video;
      start(url); // Which pauses the video, and ends the `play()` that was waiting for it.
      video.currentTime = currentTime;
      if (!paused) video.play().catch(() => {}); // A browser that does not allow it has controls.
    } catch (problem) {
      onEnd(problem);
    }
  };
  if (!Hls.isSupported()) {
    video.src = await address();
    video.addEventListener("error", () => again((url) => (video.src = url)));
    return null;
  }
  const hls = new Hls();
  hls.on(Hls.Events.ERROR, (_, error) => {
    const refused = [403, 410].includes(error.response?.code);
    if (error.fatal && refused) again((url) => hls.loadSource(url));
    else if (error.fatal) onEnd(new Error(error.details));
  });
  hls.loadSource(await address());
  hls.attachMedia(video);
  return hls;
}
