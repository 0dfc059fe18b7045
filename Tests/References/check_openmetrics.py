"""What prometheus_client reads in a text file of OpenMetrics, as one JSON object by the names of the families.

    python check_openmetrics.py FILE

Fails where the file is not in that format. Needs prometheus_client.
"""

import json
import sys
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families

families = {}
for family in text_string_to_metric_families(Path(sys.argv[1]).read_bytes().decode()):
    samples = [{"name": sample.name, "labels": sample.labels, "value": sample.value} for sample in family.samples]
    assert family.name not in families, f"{family.name} comes twice"
    families[family.name] = {"type": family.type, "help": family.documentation, "samples": samples}
print(json.dumps(families))
