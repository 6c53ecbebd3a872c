// What the pages do besides showing: each part in a file of its own in this folder. No page needs it to be read.
"use strict";
const root = document.documentElement.dataset.root;
