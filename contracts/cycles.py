"""Cycles in a graph of imports."""

from collections import deque
from collections.abc import Iterator, Mapping

Graph = Mapping[str, Mapping[str, object]]


def cycles(graph: Graph) -> Iterator[list[str]]:
    """Yield a shortest cycle of each strongly connected component that has one, from its first name on."""
    for component in _components(graph):
        if len(component) > 1:
            start = min(component)
            yield _shortest(graph, start, component)


def _shortest(graph: Graph, start: str, component: set[str]) -> list[str]:
    came: dict[str, str] = {}
    queue = deque([start])
    while queue:
        here = queue.popleft()
        for there in sorted(graph.get(here, ())):
            if there == start:
                path = [here]
                while path[-1] != start:
                    path.append(came[path[-1]])
                return path[::-1]
            if there in component and there not in came:
                came[there] = here
                queue.append(there)
    raise AssertionError(f"{start} is in a component without a cycle")


def _components(graph: Graph) -> Iterator[set[str]]:
    """Yield the strongly connected components (Tarjan 1972, without recursion)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    path: list[str] = []
    on_path: set[str] = set()
    for root in graph:
        if root in number:
            continue
        work = [(root, iter(graph[root]))]
        number[root] = low[root] = len(number)
        path.append(root)
        on_path.add(root)
        while work:
            here, rest = work[-1]
            for there in rest:
                if there not in number:
                    number[there] = low[there] = len(number)
                    path.append(there)
                    on_path.add(there)
                    work.append((there, iter(graph.get(there, ()))))
                    break
                if there in on_path:
                    low[here] = min(low[here], number[there])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[here])
                if low[here] == number[here]:
                    component = set()
                    while here not in component:
                        component.add(path.pop())
                    on_path -= component
                    yield component
