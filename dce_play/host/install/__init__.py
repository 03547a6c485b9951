"""Installing our services on a machine: files planned, compared, written; units restarted."""
