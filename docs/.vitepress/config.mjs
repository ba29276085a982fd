// The site of these pages: npm run docs. Its words are the pages themselves; here is their order only.
const page = (text, link) => ({ text, link: `/${link}` });

export default {
  title: 'hybridmim',
  description: 'Pre-train 3-D medical segmentation networks by hybrid masked image modelling, fine-tune and evaluate them',
  lang: 'en',
  outDir: '../site', // api-docs/site, since the pages are copied there
  ignoreDeadLinks: false,
  markdown: { theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' } },
  // The theme's own grey has too little contrast, and the keys beside "Search" are no part of its name.
  head: [['style', {}, ':root{--vp-code-lang-color:#57606a}.dark{--vp-code-lang-color:#b6bec8}.DocSearch-Button-Keys{display:none!important}']],
  themeConfig: {
    search: { provider: 'local' },
    notFound: { linkText: 'Take me home', linkLabel: 'Take me home' },
    outline: [2, 3],
    sidebar: [
      {
        text: 'Begin',
        items: [page('What it is', ''), page('Set up', 'setup'), page('In a container', 'docker'), page('Demo', 'demo'), page('From nothing to a result', 'tutorial-hippocampus'), page('On your own scans', 'tutorial-own-scans'), page('Plan and run', 'plan'), page('Troubleshooting', 'troubleshooting')],
      },
      {
        text: 'Commands',
        items: ['download', 'prepare', 'pretrain', 'finetune', 'predict', 'evaluate', 'report', 'experiment', 'watch', 'weights', 'benchmark-speed', 'doctor'].map((name) => page(name, name)),
      },
      {
        text: 'Understand',
        items: [page('Methods', 'methods'), page('When pre-training helps', 'when-pretraining-helps'), page('Hardware and hours', 'hardware'), page('GPUs', 'gpu'), page('Several processes, one run', 'ranks'), page('Scaling', 'scaling'), page('Results', 'results'), page('Speed', 'performance'), page('Glossary', 'glossary')],
      },
      {
        text: 'Refer',
        items: [page('Every setting', 'reference-settings'), page('Every command', 'reference-commands'), page('Files', 'formats'),
          page('Reliability', 'reliability'), page('Library', 'library'), page('Architecture', 'architecture'), page('A new method', 'new-method'), page('Tests', 'testing'), page('Decisions', 'decisions')],
      },
    ],
  },
};
