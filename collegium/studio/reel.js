// A transcript of any length. It is cut into blocks; those near the window are fetched and laid
// out, all others are empty boxes of the height they had or are likely to have. Every text is put
// on the page by Vue's {{ }}, which makes text nodes.
const NEAR = "1500px 0px"; // how far outside its frame a block is laid out
const KEPT = 30; // blocks whose rows are kept when they go out of sight
const SETTLED = 40; // milliseconds: blocks that only fly past are not fetched
const LIKELY = 120; // height of a row that was never seen, in pixels

export default {
  template: `
    <section class="transcript" :aria-label="label">
      <form class="finder" role="search" @submit.prevent="step(1)">
        <input class="text" type="search" v-model="query" @input="typed" data-search
          :aria-label="'Search in: ' + label" placeholder="Search this transcript"
          autocomplete="off" spellcheck="false" maxlength="200">
        <span class="dim small nums" role="status">{{ status }}</span>
        <button type="button" class="quiet" :disabled="!hits.length" @click="step(-1)"
          aria-label="Previous place">↑</button>
        <button type="submit" class="quiet" :disabled="!hits.length"
          aria-label="Next place">↓</button>
      </form>
      <p v-if="!total" class="empty">No calls yet.</p>
      <div v-else ref="frame" class="reel" :class="{ tall }" tabindex="0" role="region"
          :aria-label="label">
        <div v-for="(block, n) in blocks" :key="n" :data-n="n" class="slab"
            :style="block.rows ? {} : { height: block.height + 'px' }">
          <template v-if="block.rows">
            <article v-for="row in block.rows" :key="row.i" :data-i="row.i" class="event"
                :class="[row.kind, { now: row.i === now, failed: row.error }]"
                :style="{ '--hue': 'var(--agent-' + row.hue + ')' }">
              <header>
                <b>{{ row.agent }}</b> <span class="dim">{{ row.act }}</span>
                <span v-for="(note, k) in row.notes" :key="k" class="chip warn">{{ note }}</span>
                <span class="bill dim small nums">{{ row.bill }} <span class="id">#{{ row.id }}</span></span>
              </header>
              <div v-for="(part, k) in row.asked" :key="'q' + k" class="part asked">
                <div class="dim small">{{ part[0] }}</div>
                <div class="said"><template v-for="piece in pieces(part[1])"><mark
                  v-if="piece[1]">{{ piece[0] }}</mark><template v-else>{{ piece[0] }}</template></template></div>
              </div>
              <div v-for="(part, k) in row.answered" :key="'a' + k" class="part">
                <div v-if="row.answered.length > 1 || row.kind !== 'generate'" class="dim small">{{ part[0] }}</div>
                <div class="said"><template v-for="piece in pieces(part[1])"><mark
                  v-if="piece[1]">{{ piece[0] }}</mark><template v-else>{{ piece[0] }}</template></template></div>
              </div>
              <p v-if="row.error" class="bad said">{{ row.error }}</p>
              <button v-if="!row.whole && (row.questions || row.cut)" type="button" class="more"
                @click="$emit('whole', row.i)">{{ more(row) }}</button>
            </article>
          </template>
        </div>
      </div>
    </section>`,
  props: { total: Number, size: Number, label: String, tall: Boolean },
  emits: ["need", "whole", "search"],
  data() {
    return { blocks: [], query: "", sought: "", hits: [], at: -1, now: -1, waiting: false };
  },
  computed: {
    status() {
      if (!this.query.trim()) return "";
      if (this.waiting) return "searching …";
      if (!this.hits.length) return "not found";
      const of = this.hits.length.toLocaleString("en");
      return this.at < 0 ? `${of} calls` : `${(this.at + 1).toLocaleString("en")} of ${of}`;
    },
  },
  created() {
    this.cache = new Map(); // rows by block, the ones used last at the end
    this.asked = new Set();
    this.wanted = -1; // an event to scroll to as soon as it is there
    this.grow();
  },
  mounted() {
    this.watchFrame();
  },
  updated() {
    this.watchFrame();
  },
  unmounted() {
    this.observer?.disconnect();
    clearTimeout(this.timer);
  },
  watch: {
    total() {
      // The last block may have been short; what is known of it is out of date.
      this.cache.delete(this.blocks.length - 1);
      const last = this.blocks.length - 1;
      this.grow();
      if (last >= 0 && this.blocks[last].rows) this.need(last);
    },
  },
  methods: {
    grow() {
      const wanted = Math.ceil((this.total || 0) / this.size);
      for (let n = this.blocks.length; n < wanted; n++) {
        const rows = Math.min(this.size, this.total - n * this.size);
        this.blocks.push({ rows: null, height: rows * LIKELY });
      }
    },
    watchFrame() {
      const frame = this.$refs.frame;
      if (!frame) return;
      if (!this.observer || this.observer.root !== frame) {
        this.observer?.disconnect();
        this.observer = new IntersectionObserver(this.crossed, { root: frame, rootMargin: NEAR });
        this.observed = 0;
      }
      const boxes = frame.children;
      for (; this.observed < boxes.length; this.observed++) this.observer.observe(boxes[this.observed]);
    },
    crossed(entries) {
      for (const entry of entries) {
        const n = Number(entry.target.dataset.n);
        const block = this.blocks[n];
        block.near = entry.isIntersecting;
        if (block.near) {
          if (this.cache.has(n)) this.lay(n, this.cache.get(n));
          else setTimeout(() => block.near && this.need(n), SETTLED);
        } else if (block.rows) {
          block.height = entry.target.offsetHeight || block.height;
          block.rows = null;
        }
      }
    },
    need(n) {
      if (this.asked.has(n)) return;
      this.asked.add(n);
      this.$emit("need", n);
    },
    fill(n, rows) {
      this.asked.delete(n);
      this.keep(n, rows);
      if (this.blocks[n]?.near) this.lay(n, rows);
    },
    keep(n, rows) {
      this.cache.delete(n);
      this.cache.set(n, rows);
      for (const old of this.cache.keys()) {
        if (this.cache.size <= KEPT) break;
        if (!this.blocks[old]?.near) this.cache.delete(old);
      }
    },
    lay(n, rows) {
      this.blocks[n].rows = Object.freeze(rows.map(Object.freeze));
      if (Math.floor(this.wanted / this.size) === n) this.$nextTick(() => this.center());
    },
    replace(row) {
      const n = Math.floor(row.i / this.size);
      const rows = this.cache.get(n)?.map((old) => (old.i === row.i ? row : old));
      if (!rows) return;
      this.cache.set(n, rows);
      if (this.blocks[n].near) this.lay(n, rows);
    },
    more(row) {
      const asked = row.questions === 1 ? "what was asked" : `${row.questions} messages before it`;
      if (row.cut && row.questions) return `Show all of it, and ${asked}`;
      return row.cut ? "Show all of it" : `Show ${asked}`;
    },
    typed() {
      clearTimeout(this.timer);
      this.waiting = Boolean(this.query.trim());
      if (this.waiting) this.timer = setTimeout(() => this.$emit("search", this.query), 250);
      else this.found("", []);
    },
    found(text, hits) {
      if (text.trim() !== this.query.trim()) return; // an answer that came too late
      this.waiting = false;
      this.sought = text.trim();
      this.hits = hits;
      this.at = -1;
      this.now = -1;
      if (hits.length) this.step(1);
    },
    step(by) {
      if (!this.hits.length) return;
      this.at = (this.at + by + this.hits.length) % this.hits.length;
      this.show(this.hits[this.at]);
    },
    show(i) {
      this.now = i;
      this.wanted = i;
      const n = Math.floor(i / this.size);
      const frame = this.$refs.frame;
      if (this.blocks[n]?.rows) this.$nextTick(() => this.center());
      else if (frame?.children[n]) frame.scrollTop = frame.children[n].offsetTop;
    },
    center() {
      const frame = this.$refs.frame;
      const row = frame?.querySelector(`[data-i="${this.wanted}"]`);
      if (!row) return;
      const wanted = this.wanted;
      const goTo = () => {
        const gap = (frame.clientHeight - row.offsetHeight) / 2;
        const away = row.getBoundingClientRect().top - frame.getBoundingClientRect().top;
        frame.scrollTop += away - Math.max(16, gap);
      };
      goTo();
      // Blocks above it may be laid out now, and be taller than they were taken to be.
      setTimeout(() => {
        if (this.wanted === wanted && row.isConnected) goTo();
        this.wanted = -1;
      }, 250);
      const said = this.blocks[Math.floor(wanted / this.size)].rows?.find((r) => r.i === wanted);
      if (said && !said.whole && this.sought && !row.querySelector("mark")) this.$emit("whole", wanted);
    },
    pieces(text) {
      const sought = this.sought.toLowerCase();
      const low = sought ? text.toLowerCase() : "";
      if (!sought || low.length !== text.length) return [[text, false]];
      const found = [];
      let from = 0;
      for (let to = low.indexOf(sought); to >= 0 && found.length < 400; to = low.indexOf(sought, from)) {
        if (to > from) found.push([text.slice(from, to), false]);
        found.push([text.slice(to, to + sought.length), true]);
        from = to + sought.length;
      }
      found.push([text.slice(from), false]);
      return found;
    },
  },
};
