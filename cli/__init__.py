"""The command line of the project: `ordained`, with one module per subcommand."""
